// Drives a step graph, as the contract of trm-edge describes it: https://github.com/trm-edge/trm-edge
// The same file runs in the page's worker and under Node.
import { confidence } from "./halting.js";

const NO_CARRY = ["tokens", "puzzle_embedding", "reset"];

/** A step graph in a session of ONNX Runtime, for one puzzle at a time. */
export class StepGraph {
  /**
   * @param {object} ort the module of ONNX Runtime Web.
   * @param {object} session a session of the graph.
   * @param {object} model `model` of the manifest.
   * @param {number[]|null} puzzleEmbedding the row of the puzzle-embedding table, where the model has one.
   */
  constructor(ort, session, model, puzzleEmbedding) {
    this.ort = ort;
    this.session = session;
    this.model = model;
    this.puzzleEmbedding = null;
    if (puzzleEmbedding !== null) {
      const row = Float32Array.from(puzzleEmbedding);
      this.puzzleEmbedding = new ort.Tensor("float32", row, [1, row.length]);
    }
    this.carries = session.inputMetadata.filter((input) => !NO_CARRY.includes(input.name));
  }

  /**
   * Load a graph.
   * @param {object} ort the module of ONNX Runtime Web.
   * @param {Uint8Array} bytes the file, whose hash has been checked.
   * @param {object} model `model` of the manifest.
   * @param {number[]|null} puzzleEmbedding as for the class.
   */
  static async load(ort, bytes, model, puzzleEmbedding) {
    const session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
    return new StepGraph(ort, session, model, puzzleEmbedding);
  }

  /**
   * Refuse token ids that the model does not know: a runtime may read whatever lies there.
   * @param {ArrayLike<number>} tokens ids of the puzzle.
   */
  check(tokens) {
    const { seq_len: length, vocab_size: size } = this.model;
    if (tokens.length !== length) {
      throw new RangeError(`The model takes ${length} cells, but the puzzle has ${tokens.length}.`);
    }
    for (const token of tokens) {
      if (!Number.isInteger(token) || token < 0 || token >= size) {
        throw new RangeError(`The model knows token ids 0 to ${size - 1}, but the puzzle has ${token}.`);
      }
    }
  }

  /** Allocate the carries of a first step; while `reset` is set, they may hold anything. */
  emptyCarries() {
    const tensors = {};
    for (const { name, type, shape } of this.carries) {
      const dims = [1, ...shape.slice(1)];
      const size = dims.reduce((product, length) => product * length);
      tensors[name] = new this.ort.Tensor(type, new Float32Array(size), dims);
    }
    return tensors;
  }

  /**
   * Run one ACT step.
   * @param {ArrayLike<number>} tokens ids of the puzzle.
   * @param {boolean} reset true in the first step of a puzzle.
   * @param {object} carries tensors by name, as the step before returned them.
   * @returns {Promise<object>} the next `carries`, the most likely `tokens`, `qHalt` and `qContinue`.
   */
  async run(tokens, reset, carries) {
    const { Tensor } = this.ort;
    const feeds = {
      ...carries,
      tokens: new Tensor("int32", Int32Array.from(tokens), [1, tokens.length]),
      reset: new Tensor("bool", Uint8Array.of(reset ? 1 : 0), [1]),
    };
    if (this.puzzleEmbedding) feeds.puzzle_embedding = this.puzzleEmbedding;
    const output = await this.session.run(feeds);
    const next = {};
    // The very tensors that came out go into the next step.
    for (const { name } of this.carries) next[name] = output[`${name}_next`];
    return {
      carries: next,
      tokens: largest(output.logits.data, this.model.vocab_size),
      qHalt: output.q_halt.data[0],
      qContinue: output.q_continue.data[0],
    };
  }
}

/**
 * Solve a puzzle; hands out every ACT step as soon as it is done.
 * @param {StepGraph} graph the model.
 * @param {ArrayLike<number>} tokens ids of the puzzle.
 * @param {HaltingRule} rule when to stop.
 */
export async function* solve(graph, tokens, rule) {
  graph.check(tokens);
  let carries = graph.emptyCarries();
  let isDone = false;
  for (let step = 1; !isDone; step += 1) {
    const start = performance.now();
    const output = await graph.run(tokens, step === 1, carries);
    const milliseconds = performance.now() - start;
    carries = output.carries;
    isDone = rule.isDone(step, output.qHalt, output.qContinue);
    yield {
      step,
      tokens: output.tokens,
      qHalt: output.qHalt,
      qContinue: output.qContinue,
      confidence: confidence(output.qHalt),
      halted: rule.wantsToStop(output.qHalt, output.qContinue),
      isDone,
      milliseconds,
    };
  }
}

/**
 * Find the id with the largest logit for every cell.
 * @param {Float32Array} logits (L, V), flat.
 * @param {number} size V.
 */
function largest(logits, size) {
  const tokens = new Array(logits.length / size);
  for (let cell = 0; cell < tokens.length; cell += 1) {
    let best = 0;
    for (let id = 1; id < size; id += 1) {
      if (logits[cell * size + id] > logits[cell * size + best]) best = id;
    }
    tokens[cell] = best;
  }
  return tokens;
}
