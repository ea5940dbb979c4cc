// The model of a site: loads its graphs and solves with them. Runs in the page's worker and under Node.
import { HaltingRule } from "./halting.js";
import { StepGraph, solve } from "./runner.js";

const BINARY = "runtime/onnxruntime.wasm.gz";

/** Solves puzzles with the graphs of a site. */
export class Solver {
  /**
   * @param {object} ort the module of ONNX Runtime Web, set up.
   * @param {Site} site the files.
   * @param {Float32Array} rows of the puzzle-embedding table; none where the model has no table.
   */
  constructor(ort, site, rows) {
    this.ort = ort;
    this.site = site;
    this.rows = rows;
    this.graphs = new Map();
  }

  /**
   * Set ONNX Runtime up.
   * @param {object} ort the module of ONNX Runtime Web.
   * @param {Site} site the files.
   * @param {number} threads of the CPU; more than one needs cross-origin isolation.
   */
  static async open(ort, site, threads) {
    ort.env.logLevel = "error";
    ort.env.wasm.numThreads = threads;
    ort.env.wasm.wasmBinary = await site.file(BINARY);
    return new Solver(ort, site, await site.rows());
  }

  /**
   * Load a graph, once.
   * @param {string} name of the graph in site.json.
   * @returns {Promise<StepGraph>} the graph.
   */
  async load(name) {
    if (!this.graphs.has(name)) {
      const bytes = await this.site.graph(name);
      this.graphs.set(name, await StepGraph.load(this.ort, bytes, this.site.model));
    }
    return this.graphs.get(name);
  }

  /**
   * Solve a puzzle; hands out every ACT step as soon as it is done.
   * @param {string} name of the graph in site.json.
   * @param {number[]} tokens ids of the puzzle.
   * @param {"adaptive"|"fixed"} mode of halting.
   * @param {number} row of the site's puzzle embeddings.
   */
  async *solve(name, tokens, mode, row = 0) {
    const graph = await this.load(name);
    yield* solve(graph, tokens, new HaltingRule(this.site.model, mode), this.row(row));
  }

  row(number) {
    const width = this.site.model.puzzle_emb_ndim;
    if (!width) return null;
    const row = this.rows.subarray(width * number, width * (number + 1));
    if (row.length === width) return row;
    throw new RangeError(`The site has ${this.rows.length / width} puzzle embeddings, and no row ${number}.`);
  }
}
