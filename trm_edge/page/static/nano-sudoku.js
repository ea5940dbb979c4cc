// Sudoku as nano-trm writes it: a grid of 4, 6 or 9 cells a side in the corner of a square canvas. Ids are 0 pad,
// 1 end, 2 blank, digit + 2. Says what trm_edge/tasks/nano_sudoku.py says.
import { PuzzleError } from "./grid.js";
import { BLANK, SudokuTask } from "./sudoku.js";

const PAD = 0;
const END = 1;
const SPECIAL = 3; // ids that are no digits
const SHIFT = 1; // ids of a cell here, less those of sudoku.js
const BOXES = { 4: [2, 2], 6: [2, 3], 9: [3, 3] };

/** Grids of every size that fits into the canvas. */
export class NanoSudokuTask {
  /** @param {{columns: number, looks: string[][]}} description `task` of site.json. */
  constructor({ columns, looks }) {
    this.canvas = columns;
    this.length = columns * columns;
    this.blank = BLANK + SHIFT;
    this.paints = false;
    this.canResize = false;
    const digits = looks.slice(SPECIAL);
    const sides = Object.keys(BOXES).map(Number);
    this.grids = sides.filter((side) => side <= digits.length).map((side) => {
      const looksOfGrid = [["", "pad"], ["", "blank"], ...digits.slice(0, side)];
      return new SudokuTask({ columns: side, boxes: BOXES[side], looks: looksOfGrid });
    });
    this.largest = this.grids.at(-1);
  }

  /** Make a puzzle to begin with, of the same size as another. */
  empty(tokens = null) {
    const grid = tokens ? this.gridOf(tokens) : this.largest;
    return this.onCanvas(grid.empty(), grid.side);
  }

  /** What a cell of a puzzle may hold. */
  get palette() {
    return this.largest.palette.map((entry) => ({ ...entry, token: entry.token + SHIFT }));
  }

  /**
   * Say what a cell holds.
   * @param {number} token its id.
   */
  cellName(token) {
    return this.largest.cellName(token - SHIFT);
  }

  /**
   * Describe the board of a puzzle: its grid.
   * @param {number[]} puzzle token ids.
   */
  board(puzzle) {
    return this.gridOf(puzzle).board();
  }

  /**
   * Describe the board of an answer, which is that of the puzzle.
   * @param {number[]} puzzle token ids.
   */
  answerBoard(puzzle) {
    return this.board(puzzle);
  }

  /**
   * Choose the tokens that are drawn: those of the grid.
   * @param {number[]} tokens ids of a puzzle or an answer.
   * @param {number[]} puzzle token ids.
   */
  visible(tokens, puzzle) {
    const { side } = this.gridOf(puzzle);
    return tokens.filter((_, cell) => cell % this.canvas < side && cell < this.canvas * side);
  }

  /**
   * Parse a grid; its size follows from the number of its cells.
   * @param {string} text the grid.
   * @returns {number[]} token ids.
   */
  parse(text) {
    let problem = null;
    for (const grid of this.grids) {
      try {
        return this.onCanvas(grid.parse(text), grid.side);
      } catch (error) {
        if (!(error instanceof PuzzleError)) throw error;
        problem = error;
      }
    }
    throw problem;
  }

  /**
   * Write a puzzle as one character a cell.
   * @param {number[]} tokens ids.
   */
  text(tokens) {
    return this.gridOf(tokens).text(this.inGrid(tokens, tokens));
  }

  /**
   * Write an answer in rows.
   * @param {number[]} tokens ids.
   * @param {number[]} puzzle token ids.
   */
  rows(tokens, puzzle) {
    return this.gridOf(puzzle).rows(this.inGrid(tokens, puzzle));
  }

  /**
   * Say what keeps a grid from being a puzzle.
   * @param {number[]} puzzle token ids.
   * @returns {string|null} the reason, or null where there is none.
   */
  puzzleProblem(puzzle) {
    const grid = this.gridOf(puzzle);
    const tokens = this.inGrid(puzzle, puzzle);
    const large = tokens.find((token) => token > grid.side + BLANK);
    if (large !== undefined) {
      return `A grid of ${grid.side} x ${grid.side} has no ${this.largest.cellName(large)}.`;
    }
    return grid.puzzleProblem(tokens);
  }

  /**
   * Make a judge of the answers to a puzzle; what stands around the grid does not matter.
   * @param {number[]} puzzle token ids.
   * @returns {(answer: number[]) => {verdict: string, reason: string|null}} judges an answer.
   */
  judge(puzzle) {
    const judge = this.gridOf(puzzle).judge(this.inGrid(puzzle, puzzle));
    return (answer) => judge(this.inGrid(answer, puzzle));
  }

  /** The task of the grid on a canvas: by the end below it, which the largest one may lack. */
  gridOf(tokens) {
    const withEnd = this.grids.find(({ side }) => side < this.canvas && tokens[this.canvas * side] === END);
    return withEnd ?? this.largest;
  }

  /** The tokens of the grid, with the ids of sudoku.js. */
  inGrid(tokens, puzzle) {
    return this.visible(tokens, puzzle).map((token) => Math.max(token - SHIFT, PAD));
  }

  onCanvas(tokens, side) {
    const canvas = new Array(this.length).fill(PAD);
    tokens.forEach((token, cell) => {
      canvas[this.canvas * Math.floor(cell / side) + (cell % side)] = token + SHIFT;
    });
    if (side < this.canvas) canvas[this.canvas * side] = END;
    return canvas;
  }
}
