// Solves beside the page, so that the page never freezes. Messages come in and go out in turn.
import * as ort from "../runtime/onnxruntime.js";
import { Site, fetcher } from "./site.js";
import { Solver } from "./solver.js";

const MAX_THREADS = 4;
const base = new URL("..", import.meta.url);
let solver = null;
let turn = Promise.resolve();
let stopped = 0; // runs up to this number are not wanted any more

/**
 * Threads share memory, which browsers allow to pages that are isolated from other origins. Half of the cores
 * are used: threads that wait for one another are slow on cores that do something else as well.
 */
function threadCount(wanted) {
  if (!globalThis.crossOriginIsolated) return 1;
  return wanted ?? Math.min(Math.ceil((navigator.hardwareConcurrency ?? 1) / 2), MAX_THREADS);
}

const actions = {
  async open({ wanted }) {
    const read = fetcher(base, (path, bytes) => postMessage({ type: "progress", path, bytes }));
    const threads = threadCount(wanted);
    solver = await Solver.open(ort, await Site.open(read), threads);
    postMessage({ type: "opened", threads });
  },

  async load({ graph }) {
    await solver.load(graph);
    postMessage({ type: "loaded", graph });
  },

  async solve({ run, graph, tokens, mode, row }) {
    for await (const step of solver.solve(graph, tokens, mode, row)) {
      await nextTask();
      if (run <= stopped) return;
      postMessage({ type: "step", run, graph, ...step });
    }
  },
};

/** Let messages in that came during a step. */
function nextTask() {
  return new Promise((done) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      done();
    };
    port2.postMessage(null);
  });
}

onmessage = ({ data }) => {
  if (data.type === "stop") {
    stopped = data.run;
    return;
  }
  turn = turn
    .then(() => actions[data.type](data))
    .catch((error) => postMessage({ type: "error", run: data.run ?? 0, message: error.message }));
};
