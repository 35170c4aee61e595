// Elements, texts and numbers.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") {
      // The policy of the pages forbids styles in attributes, and allows them through this property.
      for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    } else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An HTML element; attributes that are null are left out, and `on...` are listeners. */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function s(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Says a text to people who hear the page. */
export function announce(text) {
  document.getElementById("announcement").textContent = text;
}

/** A row of buttons of which one is pressed; arrow keys move between them.
 *
 * Items are `{value, text}`; `choose(value)` is called when the choice changes. The element has the
 * function `set(value)`, which changes the choice and calls nothing. */
export function choice(label, items, value, choose) {
  const buttons = items.map((item) =>
    h("button", { type: "button", role: "radio", class: "choice", onclick: () => pick(item.value), onkeydown: key }, item.text),
  );
  const group = h("div", { role: "radiogroup", "aria-label": label, class: "choices" }, buttons);
  group.set = (wanted) => {
    value = wanted;
    items.forEach((item, place) => {
      buttons[place].setAttribute("aria-checked", String(item.value === value));
      buttons[place].tabIndex = item.value === value ? 0 : -1;
    });
  };
  function pick(wanted) {
    if (wanted === value) return;
    group.set(wanted);
    choose(wanted);
  }
  function key(event) {
    const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!move) return;
    event.preventDefault();
    const usable = buttons.filter((button) => !button.disabled);
    const next = usable[(usable.indexOf(event.currentTarget) + move + usable.length) % usable.length];
    next.focus();
    next.click();
  }
  group.set(value);
  return group;
}

export function percent(share, digits = 2) {
  return `${(100 * share).toFixed(digits)}%`;
}

export function count(number) {
  return number.toLocaleString("en-US");
}

/** "1 image", "2 images" */
export function plural(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

export function milliseconds(value) {
  return `${value < 10 ? value.toFixed(value < 1 ? 2 : 1) : Math.round(value)} ms`;
}

export function bytes(size) {
  return size < 1e6 ? `${Math.round(size / 1e3)} kB` : `${(size / 1e6).toFixed(1)} MB`;
}

/** A duration in words: "40 s", "12 min", "3.5 h". */
export function duration(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** A network's name as people read it: of a sweep's member "student alpha=0.1 seed=0". */
export function spoken(name) {
  return name.replaceAll("@", " ");
}

/** "a, b and c" */
export function listed(items) {
  return items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}

const MARKERS = ["●", "▲", "■", "◆", "▼", "★", "✚"];

/** The colour and the marker of a network by its place. Colours are Okabe and Ito's. */
export function look(place) {
  // After all colours, every colour comes with another marker.
  const marker = (place + Math.floor(place / 7)) % 7;
  return { colour: `var(--hue-${place % 7})`, marker: MARKERS[marker], shape: marker };
}

/** A text of one network: its marker, then its name. */
export function mark(place) {
  const { colour, marker } = look(place);
  return h("span", { class: "mark", "aria-hidden": "true", style: { color: colour } }, marker);
}

export async function json(path) {
  const response = await fetch(path, { cache: "no-cache" });
  if (!response.ok) throw new Error(`${path} cannot be read (${response.status})`);
  return response.json();
}
