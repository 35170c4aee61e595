// Runs networks beside the page, so that the page answers meanwhile. One message after another.

import * as ort from "../runtime/ort.wasm.min.mjs";

ort.env.wasm.numThreads = 1; // Threads need headers that plain file hosts do not send.
ort.env.wasm.wasmPaths = new URL("../runtime/", import.meta.url).href;
ort.env.logLevel = "error";

const sessions = new Map();

function session(url) {
  if (!sessions.has(url)) {
    sessions.set(url, ort.InferenceSession.create(url, { executionProviders: ["wasm"] }));
  }
  return sessions.get(url);
}

function feed(network, pixels, shape) {
  return { [network.inputNames[0]]: new ort.Tensor("uint8", pixels, [1, ...shape]) };
}

/** Logits, probabilities, and the attention map of every layer: the mean over channels of squares. */
async function run({ url, pixels, shape }) {
  const network = await session(url);
  const begin = performance.now();
  const outputs = await network.run(feed(network, pixels, shape));
  const milliseconds = performance.now() - begin;
  const maps = {};
  for (const [name, tensor] of Object.entries(outputs)) {
    if (name === "logits" || name === "probabilities" || tensor.dims.length !== 4) continue;
    const [, height, width, channels] = tensor.dims;
    const values = new Float32Array(height * width);
    for (let place = 0; place < values.length; place++) {
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += tensor.data[place * channels + c] ** 2;
      values[place] = sum / channels;
    }
    maps[name] = { height, width, values };
  }
  return {
    logits: Array.from(outputs.logits.data),
    probabilities: Array.from(outputs.probabilities.data),
    maps,
    milliseconds,
  };
}

/** The median time of a prediction, over at most 40 predictions and about a quarter of a second. */
async function time({ url, pixels, shape }) {
  const network = await session(url);
  const times = [];
  const end = performance.now() + 250;
  while (times.length < 40 && (times.length < 3 || performance.now() < end)) {
    const begin = performance.now();
    await network.run(feed(network, pixels, shape), ["probabilities"]);
    times.push(performance.now() - begin);
  }
  times.sort((a, b) => a - b);
  return { median: times[times.length >> 1], runs: times.length };
}

const tasks = { run, time };
let last = Promise.resolve();

self.onmessage = ({ data }) => {
  last = last.then(async () => {
    try {
      self.postMessage({ id: data.id, value: await tasks[data.task](data) });
    } catch (error) {
      self.postMessage({ id: data.id, error: error.message ?? String(error) });
    }
  });
};
self.postMessage({ id: 0, value: "ready" });
