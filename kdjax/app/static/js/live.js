// The page of a run in progress: how far it is, and curves of its log.

import { announce, count, duration, h, json, percent } from "./dom.js";
import { curves, figure, legend } from "./charts.js";

const EVERY = 2000; // Milliseconds between two looks at the state.
const OTHERS = 3; // The place of the first colour that few networks have.
const QUIET = 120; // Seconds without a new line after which the page says so.

export async function showLive(page, entry, app) {
  const title = h("h1", { id: "title-live", tabindex: "-1" }, "Live");
  const box = h("div");
  page.replaceChildren(title, h("p", { class: "lead" }, `${entry.workdir}: ${entry.about}.`), box);
  let shown = "";
  let ended = false;
  let timer = null;
  let wasFinished = null;

  async function look() {
    try {
      const state = await json(`${entry.folder}/live.json`);
      const text = JSON.stringify(state);
      if (text !== shown) {
        shown = text;
        draw(box, state, app.served);
      }
      updateQuiet(box, state, app.served);
      if (state.finished && wasFinished === false) announce("The run has finished.");
      wasFinished = state.finished;
      if (state.finished) return;
    } catch (error) {
      updateLost(box, error);
    }
    if (!ended && app.served) timer = setTimeout(look, EVERY);
  }
  await look();
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}

function draw(box, state, served) {
  if (state.error) {
    box.replaceChildren(h("p", { class: "notice problem", role: "alert" }, state.error));
    return;
  }
  const current = state.stages.find((stage) => stage.state === "running");
  const next = state.stages.find((stage) => stage.state !== "finished");
  const headline = state.finished
    ? "Finished"
    : state.seconds_left !== null
      ? `About ${duration(state.seconds_left)} left`
      : state.step ? "Time left: not known yet" : "Not started yet";
  const name = (current ?? next)?.name;
  box.replaceChildren(
    h(
      "section",
      { class: "card progress", "aria-label": "Progress" },
      h("p", { class: "answer" }, h("strong", { class: "left" }, headline), h("span", { class: "share" }, `step ${count(state.step)}${!state.finished && name ? `, stage ${name}` : ""}`)),
      h("ol", { class: "stages" }, state.stages.map(stage)),
      h("p", { class: "small quiet-note", hidden: true }),
      state.finished || !served ? null : h("p", { class: "small" }, "If every step that is left takes as long as the last ones. Patience may end a stage earlier."),
      !served && !state.finished ? h("p", { class: "small" }, "This is how the run was when these pages were written.") : null,
    ),
    h("div", { class: "sections" }, state.panels.map((panel) => drawPanel(panel))),
  );
}

function stage({ name, epochs, steps, done, state }) {
  const part = state === "finished" ? 1 : steps ? done / steps : 0;
  const words = { finished: "finished", running: `${percent(part, 0)} of ${count(steps)} steps, ${epochs} epochs`, waiting: `waits: ${count(steps)} steps, ${epochs} epochs` }[state];
  return h(
    "li",
    { class: state },
    h("span", { class: "stage-name" }, name),
    h("span", { class: "track", role: "progressbar", "aria-label": `Stage ${name}`, "aria-valuenow": Math.round(100 * part), "aria-valuemin": "0", "aria-valuemax": "100" }, h("span", { class: "fill", style: { width: `${100 * part}%` } })),
    h("span", { class: "small" }, words),
  );
}

function drawPanel(panel) {
  const show = (value) => (panel.percent ? percent(value) : (value && Math.abs(value) < 1e-3 ? value.toExponential(2) : `${Number(value.toPrecision(4))}`));
  // Terms and schedules are no networks, and have other colours.
  const first = panel.networks ? 0 : OTHERS;
  const drawn = panel.curves.map((curve, place) => ({ ...curve, place: first + place }));
  const last = drawn.map((curve) => ({ name: curve.name, place: curve.place, value: show(curve.lines.at(-1).at(-1)[1]) }));
  const words = `${panel.title}. Last values: ${last.map((item) => `${item.name} ${item.value}`).join(", ")}`;
  return h(
    "section",
    { class: "card" },
    h("h2", {}, panel.title),
    figure(words, curves(drawn, { x: "Step", y: panel.percent ? "%" : "" }, { percent: panel.percent, logarithmic: !panel.percent })),
    legend(last),
    panel.hidden ? h("p", { class: "small" }, `${panel.hidden} more curves are not shown.`) : null,
  );
}

function updateQuiet(box, state, served) {
  const note = box.querySelector(".quiet-note");
  if (!note || state.finished || !served) return;
  const age = Date.now() / 1000 - state.written;
  note.hidden = !(state.step && age > QUIET);
  note.textContent = note.hidden ? "" : `No news for ${duration(age)}: the run may have stopped. The same command goes on with it.`;
}

function updateLost(box, error) {
  const note = box.querySelector(".quiet-note");
  if (!note) {
    box.replaceChildren(h("p", { class: "notice problem" }, `The run's state cannot be read: ${error.message}`));
    return;
  }
  note.hidden = false;
  note.textContent = "The command that serves these pages does not answer. What you see is the last state.";
}
