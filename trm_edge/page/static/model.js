// The worker as an object of the page.

/** The model in its worker. */
export class Model {
  /** @param {(bytes: number) => void} onProgress is told how many bytes have arrived so far. */
  constructor(onProgress) {
    this.worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this.run = 0;
    this.bytes = 0;
    this.onProgress = onProgress;
    this.waiting = null; // what the answer to the last message is for
    this.worker.onmessage = ({ data }) => this.receive(data);
    this.worker.onerror = (event) => {
      this.waiting?.fail(new Error(event.message ?? "The scripts of the page cannot be loaded."));
    };
  }

  /**
   * Load ONNX Runtime.
   * @param {number|null} wanted threads, where the page may have several; by default half of the cores.
   * @returns {Promise<number>} the threads that it has.
   */
  async open(wanted = null) {
    return (await this.ask({ type: "open", wanted })).threads;
  }

  /** @param {string} graph name of a graph in site.json. */
  async load(graph) {
    await this.ask({ type: "load", graph });
  }

  /**
   * Solve a puzzle.
   * @param {string} graph name of a graph in site.json.
   * @param {number[]} tokens ids of the puzzle.
   * @param {"adaptive"|"fixed"} mode of halting.
   * @param {(step: object) => void} onStep is called with every step.
   * @param {number} row of the site's puzzle embeddings.
   */
  async solve(graph, tokens, mode, onStep, row = 0) {
    this.run += 1;
    return this.ask({ type: "solve", run: this.run, graph, tokens, mode, row }, onStep);
  }

  /** Give up what is being solved; the promise of `solve` returns null. */
  stop() {
    if (!this.waiting?.onStep) return;
    this.worker.postMessage({ type: "stop", run: this.run });
    this.run += 1; // steps of the old run may be on their way
    this.waiting.finish(null);
    this.waiting = null;
  }

  ask(message, onStep = null) {
    return new Promise((finish, fail) => {
      this.waiting = { finish, fail, onStep };
      this.worker.postMessage(message);
    });
  }

  receive(data) {
    if (data.type === "progress") {
      this.bytes += data.bytes;
      this.onProgress(this.bytes);
      return;
    }
    const isOld = data.run !== undefined && data.run !== 0 && data.run !== this.run;
    if (this.waiting === null || isOld) return;
    const { finish, fail, onStep } = this.waiting;
    if (data.type === "step") {
      onStep(data);
      if (!data.isDone) return;
    }
    this.waiting = null;
    if (data.type === "error") fail(new Error(data.message));
    else finish(data);
  }
}
