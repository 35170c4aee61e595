// A sheet to draw on. Drawings become images with the size, place and line width of the data's.

import { h } from "./dom.js";
import { resize } from "./images.js";

const SIDE = 280;
const FINE = 8; // Pixels of the fine image in a pixel of the run's, along each axis.

/** The sheet; `changed(pixels)` gets `[h, w, 1]` uint8 after every stroke, or null for an empty one. */
export function sheet(shape, style, changed) {
  const lines = [];
  let current = null;
  let pen = null; // The place of the pen that arrow keys move.
  const canvas = h("canvas", {
    class: "sheet",
    width: SIDE,
    height: SIDE,
    tabindex: "0",
    role: "application",
    "aria-label": "Sheet to draw on: with a pointer, or arrow keys, and Space to lower or lift the pen",
    onpointerdown: (event) => {
      canvas.setPointerCapture(event.pointerId);
      pen = null;
      current = [place(event)];
      lines.push(current);
      paint();
    },
    onpointermove: (event) => {
      if (!current || pen) return;
      current.push(...(event.getCoalescedEvents?.() ?? [event]).map(place));
      paint();
    },
    onpointerup: finish,
    onpointercancel: finish,
    onkeydown: key,
  });
  const context = canvas.getContext("2d");
  const width = SIDE * style.stroke * Math.min(style.extent, 0.8);

  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE];
  }
  function finish() {
    if (!current) return;
    current = null;
    changed(toImage(lines, shape, style));
  }
  function key(event) {
    const move = { ArrowRight: [10, 0], ArrowLeft: [-10, 0], ArrowUp: [0, -10], ArrowDown: [0, 10] }[event.key];
    if (move) {
      pen = (pen ?? [SIDE / 2, SIDE / 4]).map((value, axis) => Math.min(SIDE - 10, Math.max(10, value + move[axis])));
      current?.push([...pen]);
    } else if (event.key === " ") {
      pen ??= [SIDE / 2, SIDE / 4];
      if (current) finish();
      else {
        current = [[...pen]];
        lines.push(current);
      }
    } else return;
    event.preventDefault();
    paint();
  }
  function paint() {
    context.fillStyle = grey(style.paper);
    context.fillRect(0, 0, SIDE, SIDE);
    stroke(context, lines, grey(style.ink), width, (point) => point);
    if (pen) {
      context.strokeStyle = current ? "#E69F00" : "#56B4E9";
      context.lineWidth = 2;
      context.beginPath();
      context.arc(...pen, width / 2 + 3, 0, 7);
      context.stroke();
    }
  }
  paint();
  return {
    element: canvas,
    clear() {
      lines.length = 0;
      current = null;
      paint();
      changed(null);
    },
    undo() {
      lines.pop();
      current = null;
      paint();
      changed(toImage(lines, shape, style));
    },
  };
}

function grey(level) {
  return `rgb(${level}, ${level}, ${level})`;
}

function stroke(context, lines, colour, width, to) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.lineCap = context.lineJoin = "round";
  for (const line of lines) {
    context.beginPath();
    line.forEach((point, i) => (i ? context.lineTo(...to(point)) : context.moveTo(...to(point))));
    if (line.length === 1) context.lineTo(...to(line[0]));
    context.stroke();
  }
}

/** The drawing as an image of the data: scaled by its longer side, its mass where theirs is. */
export function toImage(lines, [h, w], style) {
  const points = lines.flat();
  if (!points.length) return null;
  const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]));
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const side = style.extent * h;
  const width = style.stroke * side;
  // A dot stays a dot.
  const scale = Math.min((side - width) / Math.max(right - left, bottom - top, 1), (4 * h) / SIDE);
  const canvas = document.createElement("canvas");
  canvas.width = w * FINE;
  canvas.height = h * FINE;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const middle = [(left + right) / 2, (top + bottom) / 2];
  function render(shift) {
    context.fillStyle = grey(style.paper);
    context.fillRect(0, 0, canvas.width, canvas.height);
    stroke(context, lines, grey(style.ink), width * FINE, ([x, y]) => [
      ((x - middle[0]) * scale + w / 2 + shift[0]) * FINE,
      ((y - middle[1]) * scale + h / 2 + shift[1]) * FINE,
    ]);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    return Uint8Array.from({ length: canvas.width * canvas.height }, (_, i) => data[4 * i]);
  }
  const [x, y] = mass(render([0, 0]), h * FINE, w * FINE, style).map((value) => value / FINE);
  // As far as the ink stays inside.
  const room = [w - width - (right - left) * scale, h - width - (bottom - top) * scale].map((free) => Math.max(0, free / 2));
  const shift = [style.centre[1] * w - x, style.centre[0] * h - y].map((value, axis) => Math.max(-room[axis], Math.min(room[axis], value)));
  return resize(render(shift), h * FINE, w * FINE, [h, w, 1]);
}

/** The centre of the ink's mass, x and y. */
function mass(pixels, h, w, style) {
  let [total, x, y] = [0, 0, 0];
  for (let i = 0; i < pixels.length; i++) {
    const ink = (pixels[i] - style.paper) / (style.ink - style.paper);
    total += ink;
    x += ink * ((i % w) + 0.5);
    y += ink * (Math.floor(i / w) + 0.5);
  }
  return total ? [x / total, y / total] : [w / 2, h / 2];
}
