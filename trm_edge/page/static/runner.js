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
   */
  constructor(ort, session, model) {
    this.ort = ort;
    this.session = session;
    this.model = model;
    this.carries = session.inputMetadata.filter((input) => !NO_CARRY.includes(input.name));
  }

  /**
   * Load a graph.
   * @param {object} ort the module of ONNX Runtime Web.
   * @param {Uint8Array} bytes the file, whose hash has been checked.
   * @param {object} model `model` of the manifest.
   */
  static async load(ort, bytes, model) {
    const session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
    return new StepGraph(ort, session, model);
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
   * Make the tensors of a puzzle, which are the same at every step.
   * @param {ArrayLike<number>} tokens ids of the puzzle.
   * @param {Float32Array|null} row of the puzzle-embedding table, where the model has one.
   */
  puzzle(tokens, row) {
    this.check(tokens);
    const { Tensor } = this.ort;
    const tensors = { tokens: new Tensor("int32", Int32Array.from(tokens), [1, tokens.length]) };
    if (row !== null) {
      tensors.puzzle_embedding = new Tensor("float32", Float32Array.from(row), [1, row.length]);
    }
    return tensors;
  }

  /**
   * Run one ACT step.
   * @param {object} puzzle its tensors.
   * @param {boolean} reset true in the first step of a puzzle.
   * @param {object} carries tensors by name, as the step before returned them.
   * @returns {Promise<object>} the next `carries`, the most likely `tokens`, `qHalt` and `qContinue`.
   */
  async run(puzzle, reset, carries) {
    const isReset = new this.ort.Tensor("bool", Uint8Array.of(reset ? 1 : 0), [1]);
    const feeds = { ...carries, ...puzzle, reset: isReset };
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
 * @param {Float32Array|null} row of the puzzle-embedding table, where the model has one.
 */
export async function* solve(graph, tokens, rule, row) {
  const puzzle = graph.puzzle(tokens, row);
  let carries = graph.emptyCarries();
  let isDone = false;
  for (let step = 1; !isDone; step += 1) {
    const start = performance.now();
    const output = await graph.run(puzzle, step === 1, carries);
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
