// The page of results: charts and tables of evaluations.

import { choice, h, json, percent } from "./dom.js";
import { curves, figure, heatTable, history, legend, scatter } from "./charts.js";

const SIZES = {
  parameters: "Trained parameters",
  megabytes: "Megabytes",
  flops: "Arithmetic (FLOP) of one image",
  latency_median: "Latency (ms at batch 1, where it was evaluated)",
};

const NAMED = 9; // The largest number of points with a name beside them; of more the names stand below.

export async function showResults(page) {
  const data = await json("results.json");
  const sections = [
    ...data.sizes.map((group) => sizes(group, data.sizes.length > 1)),
    ...data.agreement.map((agreement) => agree(agreement, data.agreement.length > 1)),
    ...data.histories.map((one) => before(one, data)),
    ...data.sweeps.flatMap((one) => one.networks.map((chart) => sweep(chart, one.run))),
  ].filter(Boolean);
  page.replaceChildren(
    h("h1", { id: "title-results", tabindex: "-1" }, "Results"),
    ...data.notes.map((note) => h("p", { class: "notice" }, note)),
    ...(data.sizes.length ? [] : [h("p", { class: "notice" }, "No run has a network yet. See Live.")]),
    h("div", { class: "sections" }, sections),
    data.tables.length ? h("h2", { class: "tables-title" }, "Tables") : "",
    ...data.tables.map(table),
  );
  return () => {};
}

function card(title, ...children) {
  return h("section", { class: "card" }, h("h2", {}, title), children);
}

function sizes(data, several) {
  const known = Object.keys(SIZES).filter((key) => data.points.every((point) => point[key]));
  const box = h("div");
  const crowded = data.points.length > NAMED;
  const draw = (key) => {
    const points = data.points.map((point, place) => ({ name: point.network, x: point[key], y: point.accuracy, place }));
    const below = crowded ? legend(points.map((point) => ({ ...point, value: `${point.y.toFixed(2)} %` }))) : null;
    const words = points.map((point) => `${point.name} ${point.y.toFixed(2)} % at ${point.x}`).join("; ");
    box.replaceChildren(figure(`${data.accuracy_label} over ${SIZES[key]}: ${words}`, scatter(points, { x: SIZES[key], y: "Accuracy (%)" }, !crowded), below));
  };
  draw(known[0]);
  const items = known.map((key) => ({ value: key, text: { parameters: "Parameters", megabytes: "Megabytes", flops: "Arithmetic", latency_median: "Latency" }[key] }));
  return card(`Accuracy against size and time${several ? `: ${data.dataset}` : ""}`, choice("Horizontal axis", items, known[0], draw), box, h("p", { class: "small" }, `${data.accuracy_label}. The horizontal scale is logarithmic.`));
}

function agree({ run, networks, matrix }, several) {
  const lowest = Math.min(...matrix.flat());
  const low = Math.min(lowest, 0.99);
  return card(
    `Agreement${several ? `: ${run}` : ""}`,
    heatTable(`How often two networks predict the same, ${run}`, networks, networks, (i, j) => (i === j ? null : { value: matrix[i][j], text: percent(matrix[i][j], 1) }), { low, high: 1 }),
    h("p", { class: "small" }, "The share of images on which two networks predict the same."),
  );
}

/** "91.62 after warmup, 96.09 after mutual (+4.47 points)" */
function course({ stages, accuracies }) {
  const change = accuracies.at(-1) - accuracies[0];
  const values = stages.map((stage, k) => `${accuracies[k].toFixed(2)} after ${stage}`);
  return `${values.join(", ")} (${change >= 0 ? "+" : "−"}${Math.abs(change).toFixed(2)} points)`;
}

function before({ run, networks }, data) {
  const placed = networks.map((network, place) => ({ ...network, place }));
  const words = networks.map((network) => network.stages.map((stage, k) => `${network.network} after ${stage} ${network.accuracies[k].toFixed(2)} %`).join(", ")).join("; ");
  return card(
    `Before and after${data.histories.length > 1 ? `: ${run}` : ""}`,
    figure(words, history(placed, "Accuracy (%)"), legend(placed.map((network) => ({ name: network.network, place: network.place, value: course(network) })))),
    h("p", { class: "small" }, "Networks that several stages train, as each stage left them; the last is filled."),
  );
}

function sweep({ network, axes, split, cells }, run) {
  const title = `Sweep of ${network}: ${run}`;
  const seeds = Math.max(...cells.map((cell) => cell.seeds));
  const note = h("p", { class: "small" }, `Accuracy on ${split}${seeds > 1 ? `, means over ${seeds} seeds` : ", 1 seed"}.`);
  const words = cells.map((cell) => `${axes.map((axis, i) => `${axis} ${cell.values[i]}`).join(", ")}: ${cell.mean.toFixed(2)} %`).join("; ");
  if (axes.length === 1) {
    const sorted = [...cells].sort((a, b) => a.values[0] - b.values[0]);
    const lines = [["mean", 0], ["lowest", 2], ["highest", 1]].slice(0, seeds > 1 ? 3 : 1);
    const drawn = lines.map(([key, place]) => ({ name: key, place, lines: [sorted.map((cell) => [cell.values[0], cell[key]])] }));
    return card(title, figure(words, curves(drawn, { x: axes[0], y: "Accuracy (%)" })), seeds > 1 ? legend([{ name: "mean", place: 0 }, { name: "best seed", place: 1 }, { name: "worst seed", place: 2 }]) : null, note);
  }
  const [rows, columns] = [1, 0].map((axis) => [...new Set(cells.map((cell) => cell.values[axis]))].sort((a, b) => a - b));
  const means = cells.map((cell) => cell.mean);
  const find = (i, j) => {
    const cell = cells.find((one) => one.values[1] === rows[i] && one.values[0] === columns[j]);
    return cell ? { value: cell.mean, text: cell.mean.toFixed(2) } : null;
  };
  return card(title, heatTable(words, rows.map((value) => `${axes[1]} ${value}`), columns.map((value) => `${axes[0]} ${value}`), find, { low: Math.min(...means), high: Math.max(...means) }), note);
}

function table({ title, columns, rows, caption }) {
  return h(
    "section",
    { class: "card" },
    h("h3", {}, title),
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": title },
      h(
        "table",
        { class: "numbers" },
        h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell, i) => h(i ? "td" : "th", i ? {} : { scope: "row" }, cell))))),
      ),
    ),
    caption ? h("p", { class: "small" }, caption) : null,
  );
}
