// Asks the worker to run networks.

let worker = null;
let number = 0;
const waiting = new Map();

function start() {
  worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => {
    const asked = waiting.get(data.id);
    if (!asked) return;
    waiting.delete(data.id);
    if (data.error) asked.reject(new Error(data.error));
    else asked.resolve(data.value);
  };
  worker.onerror = (event) => {
    const error = new Error(event.message || "onnxruntime-web could not be loaded");
    for (const asked of waiting.values()) asked.reject(error);
    waiting.clear();
    worker = null;
  };
}

function ask(task, url, pixels, shape) {
  if (!worker) start();
  return new Promise((resolve, reject) => {
    const id = ++number;
    waiting.set(id, { resolve, reject });
    worker.postMessage({ id, task, url: new URL(url, document.baseURI).href, pixels, shape });
  });
}

/** Loads onnxruntime-web, which takes most of the time until the first prediction. */
export function prepare() {
  if (!worker) start();
}

/** `{logits, probabilities, maps, milliseconds}` of one image, uint8 `[h, w, c]`. */
export function run(url, pixels, shape) {
  return ask("run", url, pixels, shape);
}

/** `{median, runs}`: milliseconds of a prediction. */
export function time(url, pixels, shape) {
  return ask("time", url, pixels, shape);
}
