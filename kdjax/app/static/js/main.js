// Pages by the address's hash, the choice of the run, and the colours.

import { announce, h, json } from "./dom.js";
import { showCompare } from "./compare.js";
import { prepare } from "./inference.js";
import { showLive } from "./live.js";
import { showResults } from "./results.js";

const PAGES = ["compare", "results", "live"];
const element = (id) => document.getElementById(id);
let app = null;
let end = () => {};
let opened = 0;

/** `#compare/1`: the page and the place of the run. */
function address() {
  const [name, run] = location.hash.slice(1).split("/");
  const place = Number(run);
  return { page: PAGES.includes(name) ? name : null, run: app.runs[place] ? place : 0 };
}

async function open(focus) {
  const { page: asked, run } = address();
  const page = asked ?? (app.runs[run].compare ? "compare" : "live");
  const entry = app.runs[run];
  end();
  end = () => {};
  const turn = ++opened;
  for (const name of PAGES) element(`page-${name}`).hidden = name !== page;
  for (const link of document.querySelectorAll("nav a")) {
    const name = link.hash.slice(1).split("/")[0];
    link.href = `#${name}/${run}`;
    if (name === page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  element("run-choice").hidden = app.runs.length < 2 || page === "results";
  element("run").value = run;
  const section = element(`page-${page}`);
  document.title = `${{ compare: "Compare", results: "Results", live: "Live" }[page]} · kdjax`;
  try {
    const stop = await { compare: showCompare, results: showResults, live: showLive }[page](section, entry, app);
    if (turn !== opened) stop();
    else end = stop;
  } catch (error) {
    section.append(h("p", { class: "notice problem", role: "alert" }, `This page cannot be shown: ${error.message}`));
    console.error(error);
  }
  element("start").hidden = true;
  if (focus && turn === opened) {
    section.querySelector("h1")?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
    announce(document.title);
  }
}

// Light, dark, or as the system.
const THEMES = ["system", "light", "dark"];
const SIGNS = { system: "◐", light: "☀", dark: "☾" };

function setTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  const button = element("theme");
  const text = { system: "Colours: as the system", light: "Colours: light", dark: "Colours: dark" }[theme];
  button.textContent = SIGNS[theme];
  button.setAttribute("aria-label", text);
  button.title = text;
}

function storedTheme() {
  try {
    return THEMES.includes(localStorage.theme) ? localStorage.theme : "system";
  } catch {
    return "system"; // A browser may keep nothing.
  }
}

let theme = storedTheme();
setTheme(theme);
element("theme").onclick = () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  setTheme(theme);
  try {
    localStorage.theme = theme;
  } catch {
    // It holds until the page is left.
  }
};
element("skip").onclick = (event) => {
  // The hash is the page's address.
  event.preventDefault();
  element("main").focus();
};

try {
  // What takes longest until the first prediction begins first.
  if (!location.hash || location.hash.startsWith("#compare")) prepare();
  app = await json("app.json");
  element("run").append(...app.runs.map((entry, place) => h("option", { value: place }, entry.label)));
  element("run").onchange = () => {
    const page = PAGES.find((name) => !element(`page-${name}`).hidden);
    location.hash = `#${page}/${element("run").value}`;
  };
  window.onhashchange = () => open(true);
  await open(false);
} catch (error) {
  element("start").textContent = `The pages cannot be read: ${error.message}. Run the command again.`;
  element("start").setAttribute("role", "alert");
}
