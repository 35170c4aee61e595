// Charts as SVG, drawn anew when their width changes, so that their texts keep their size.

import { h, look, s, spoken } from "./dom.js";

/** A figure: `draw(width)` returns an SVG element. The text says what people who hear it need. */
export function figure(text, draw, below) {
  const box = h("div", { class: "chart" });
  let width = 0;
  new ResizeObserver(([entry]) => {
    const now = Math.floor(entry.contentRect.width);
    if (!now || now === width) return;
    width = now;
    const drawn = draw(width);
    drawn.setAttribute("role", "img");
    drawn.setAttribute("aria-label", text);
    box.replaceChildren(drawn);
  }).observe(box);
  return h("figure", { class: "figure" }, box, below ?? null);
}

function sheet(width, height, ...children) {
  return s("svg", { viewBox: `0 0 ${width} ${height}`, width, height }, ...children);
}

function text(x, y, content, attributes) {
  return s("text", { x, y, ...attributes }, content);
}

/** About `most` round numbers from low to high. */
export function ticks(low, high, most) {
  const raw = (high - low) / most || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((value) => value >= raw * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) found.push(Number((i * step).toPrecision(10)));
  return found;
}

export function logTicks(low, high) {
  const wide = high / low > 300;
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const factor of wide ? [1] : [1, 2, 5]) {
      const value = Number((factor * 10 ** power).toPrecision(3));
      if (value >= low && value <= high) found.push(value);
    }
  }
  return found;
}

/** 439338 as "439k". */
export function short(value) {
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (value >= size) return `${Number((value / size).toPrecision(3))}${unit}`;
  }
  return `${Number(value.toPrecision(3))}`;
}

function axes(frame, xs, ys, names) {
  const { left, right, top, bottom, x, y } = frame;
  return s(
    "g",
    { class: "axes" },
    ys.map(({ value, name }) => [s("line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) }), text(left - 6, y(value) + 4, name, { "text-anchor": "end" })]),
    xs.map(({ value, name }) => [s("line", { class: "tick", x1: x(value), x2: x(value), y1: bottom, y2: bottom + 4 }), text(x(value), bottom + 17, name, { "text-anchor": "middle" })]),
    s("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }),
    text((left + right) / 2, bottom + 35, names.x, { "text-anchor": "middle", class: "axis-name" }),
    names.y ? text(left - 40, top - 10, names.y, { "text-anchor": "start", class: "axis-name" }) : null,
  );
}

/** A point's marker, of a place in the order of networks. */
function point(x, y, place, size = 6) {
  const { colour, shape: kind } = look(place);
  const shapes = [
    () => s("circle", { cx: x, cy: y, r: size }),
    () => polygon([[0, -1.25], [1.15, 0.85], [-1.15, 0.85]]),
    () => s("rect", { x: x - size * 0.95, y: y - size * 0.95, width: size * 1.9, height: size * 1.9 }),
    () => polygon([[0, -1.35], [1.35, 0], [0, 1.35], [-1.35, 0]]),
    () => polygon([[0, 1.25], [1.15, -0.85], [-1.15, -0.85]]),
    () => polygon(Array.from({ length: 10 }, (_, i) => [(i % 2 ? 0.6 : 1.45) * Math.sin((i * Math.PI) / 5), -(i % 2 ? 0.6 : 1.45) * Math.cos((i * Math.PI) / 5)])),
    () => polygon([[-0.45, -1.25], [0.45, -1.25], [0.45, -0.45], [1.25, -0.45], [1.25, 0.45], [0.45, 0.45], [0.45, 1.25], [-0.45, 1.25], [-0.45, 0.45], [-1.25, 0.45], [-1.25, -0.45], [-0.45, -0.45]]),
  ];
  function polygon(corners) {
    return s("polygon", { points: corners.map(([dx, dy]) => `${x + dx * size},${y + dy * size}`).join(" ") });
  }
  const element = shapes[kind]();
  element.setAttribute("class", "point");
  element.style.setProperty("fill", colour);
  return element;
}

/** Names beside points, moved up or down until they do not overlap. */
function place(labels, low, high) {
  const sorted = [...labels].sort((a, b) => a.y - b.y);
  for (let round = 0; round < 60; round++) {
    let moved = false;
    for (let i = 0; i < sorted.length; i++) {
      for (let j = i + 1; j < sorted.length; j++) {
        const [a, b] = [sorted[i], sorted[j]];
        const near = a.left < b.right && b.left < a.right;
        const overlap = 15 - Math.abs(b.y - a.y);
        if (!near || overlap <= 0) continue;
        const [up, down] = a.y <= b.y ? [a, b] : [b, a];
        up.y -= overlap / 2;
        down.y += overlap / 2;
        moved = true;
      }
    }
    for (const label of sorted) label.y = Math.min(Math.max(label.y, low), high);
    if (!moved) break;
  }
}

/** Points `{name, x, y, place}` with the accuracy over a logarithmic x. */
export function scatter(points, names, named) {
  return (width) => {
    const height = Math.max(280, Math.min(380, width * 0.55));
    const xs = points.map((p) => p.x);
    const ys = points.map((p) => p.y);
    const [low, high] = [Math.min(...xs) / 1.8, Math.max(...xs) * 1.8];
    const room = Math.max(0.2 * (Math.max(...ys) - Math.min(...ys)), 0.5);
    const [bottomValue, topValue] = [Math.max(0, Math.min(...ys) - room), Math.min(100.2, Math.max(...ys) + room)];
    const frame = { left: 46, right: width - 12, top: 30, bottom: height - 44 };
    frame.x = (value) => frame.left + ((Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low))) * (frame.right - frame.left);
    frame.y = (value) => frame.bottom - ((value - bottomValue) / (topValue - bottomValue)) * (frame.bottom - frame.top);
    let marks = logTicks(low, high);
    const most = Math.max(3, Math.floor(width / 70));
    if (marks.length > most) marks = marks.filter((_, i) => i % Math.ceil(marks.length / most) === 0);
    const labels = points.map((p) => {
      const [x, y] = [frame.x(p.x), frame.y(p.y)];
      const size = 7 * p.name.length;
      const toLeft = x + 12 + size > frame.right && x - 12 - size > frame.left;
      return { name: p.name, x: toLeft ? x - 11 : x + 11, y, anchor: toLeft ? "end" : "start", left: toLeft ? x - 12 - size : x - 8, right: toLeft ? x + 8 : x + 12 + size };
    });
    place(labels, frame.top, frame.bottom - 6);
    return sheet(
      width,
      height,
      axes(frame, marks.map((value) => ({ value, name: short(value) })), ticks(bottomValue, topValue, 5).map((value) => ({ value, name: `${value}` })), names),
      named && labels.map((label) => text(label.x, label.y + 4, label.name, { "text-anchor": label.anchor, class: "name" })),
      points.map((p) => {
        const drawn = point(frame.x(p.x), frame.y(p.y), p.place, 6.5);
        drawn.append(s("title", {}, `${p.name}: ${p.y.toFixed(2)} %, ${names.x.toLowerCase()} ${short(p.x)}`));
        return drawn;
      }),
    );
  };
}

/** Curves `{name, lines, place}`, each of lines of points `[x, y]`. */
export function curves(drawn, names, { percent = false, logarithmic = false } = {}) {
  return (width) => {
    const height = Math.max(190, Math.min(240, width * 0.5));
    const all = drawn.flatMap((curve) => curve.lines.flat());
    const xs = all.map((p) => p[0]);
    const factor = percent ? 100 : 1;
    const values = all.map((p) => p[1] * factor);
    let [low, high] = [Math.min(...values), Math.max(...values)];
    const frame = { left: 46, right: width - 10, top: 26, bottom: height - 44 };
    const [first, last] = [Math.min(0, ...xs), Math.max(...xs, 1)];
    frame.x = (value) => frame.left + ((value - first) / (last - first)) * (frame.right - frame.left);
    const isLog = logarithmic && low > 0 && high / low > 30;
    if (!isLog) {
      const room = 0.06 * (high - low) || Math.abs(high) * 0.1 || 1;
      [low, high] = [low - room, percent ? Math.min(high + room, 100.5) : high + room];
    }
    const to = isLog ? Math.log : (value) => value;
    frame.y = (value) => frame.bottom - ((to(value) - to(low)) / (to(high) - to(low))) * (frame.bottom - frame.top);
    const marks = isLog ? logTicks(low, high) : ticks(low, high, 4);
    const columns = Math.max(2, Math.floor(width / 90));
    return sheet(
      width,
      height,
      axes(frame, ticks(first, last, columns).map((value) => ({ value, name: short(value) })), marks.map((value) => ({ value, name: short2(value) })), names),
      drawn.flatMap((curve) =>
        curve.lines.map((line) => {
          const { colour } = look(curve.place);
          const at = line.map(([x, y]) => [frame.x(x), frame.y(y * factor)]);
          const path = s("polyline", { class: "line", points: at.map((p) => p.join(",")).join(" ") });
          path.style.setProperty("stroke", colour);
          const every = Math.ceil(at.length / 10);
          const marked = at.filter((_, i) => (at.length - 1 - i) % every === 0);
          return s("g", {}, path, marked.map(([x, y]) => point(x, y, curve.place, 3.2)));
        }),
      ),
    );
  };
}

function short2(value) {
  return Math.abs(value) >= 1000 ? short(value) : `${Number(value.toPrecision(4))}`;
}

/** A legend: each name with its marker, and a value where there is one. */
export function legend(items) {
  return h(
    "ul",
    { class: "legend" },
    items.map(({ name, place, value }) => {
      const { colour, marker } = look(place);
      return h("li", {}, h("span", { class: "mark", "aria-hidden": "true", style: { color: colour } }, marker), ` ${spoken(name)} `, value ? h("span", { class: "value" }, value) : null);
    }),
  );
}

const ramp = (share) => `color-mix(in oklab, var(--heat-high) ${Math.round(100 * share)}%, var(--heat-low))`;

/** A table whose cells are shaded by their values; `cell(row, column)` is `{value, text}` or null. */
export function heatTable(caption, rows, columns, cell, { corner = "", low, high }) {
  const share = (value) => (high > low ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 1);
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      { class: "heat" },
      h("caption", { class: "unseen" }, caption),
      h("thead", {}, h("tr", {}, h("td", {}, corner), columns.map((name) => h("th", { scope: "col" }, name)))),
      h(
        "tbody",
        {},
        rows.map((name, i) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, name),
            columns.map((_, j) => {
              const found = cell(i, j);
              if (!found) return h("td", { class: "empty" });
              const part = share(found.value);
              return h("td", { class: part > 0.66 ? "high" : "low", style: { background: ramp(part) } }, found.text);
            }),
          ),
        ),
      ),
    ),
  );
}

/** For each network its accuracy after every stage: `{network, stages, accuracies, place}`. */
export function history(networks, label) {
  return (width) => {
    const row = 34;
    const frame = { left: 12, right: width - 12, top: 8, bottom: 8 + row * networks.length };
    const values = networks.flatMap((network) => network.accuracies);
    const room = Math.max(0.12 * (Math.max(...values) - Math.min(...values)), 0.3);
    const [low, high] = [Math.min(...values) - room, Math.max(...values) + room];
    frame.x = (value) => frame.left + ((value - low) / (high - low)) * (frame.right - frame.left);
    frame.y = (value) => value;
    return sheet(
      width,
      frame.bottom + 44,
      axes(frame, ticks(low, high, Math.max(3, Math.floor(width / 100))).map((value) => ({ value, name: `${value}` })), [], { x: label }),
      networks.map((network, i) => {
        const y = frame.top + i * row + 20;
        const xs = network.accuracies.map(frame.x);
        const line = s("line", { class: "line", x1: Math.min(...xs), x2: Math.max(...xs), y1: y, y2: y });
        line.style.setProperty("stroke", look(network.place).colour);
        return s(
          "g",
          {},
          s("line", { class: "grid", x1: frame.left, x2: frame.right, y1: y, y2: y }),
          line,
          xs.map((x, k) => {
            const drawn = point(x, y, network.place, k === xs.length - 1 ? 6.5 : 5);
            if (k < xs.length - 1) drawn.classList.add("hollow");
            drawn.append(s("title", {}, `${network.network} after ${network.stages[k]}: ${network.accuracies[k].toFixed(2)} %`));
            return drawn;
          }),
        );
      }),
    );
  };
}
