// ARC grids: ids 0 pad, 1 end marker, colour + 2. A model tells tasks apart by rows of its table.
import {
  FIRST_COLOUR,
  PADDING,
  SIDE,
  areEqual,
  crop,
  cropShape,
  digits,
  encode,
  parseGrid,
  resized,
  shapeOf,
  sizeName,
} from "./arc-grids.js";

export const COLOUR_NAMES = [
  "black",
  "blue",
  "red",
  "green",
  "yellow",
  "grey",
  "magenta",
  "orange",
  "light blue",
  "maroon",
];
const EMPTY = [3, 3]; // rows and columns of a grid to begin with

/** Grids of up to 30 x 30 cells; an answer is another grid, which only a known solution can judge. */
export class ArcTask {
  constructor() {
    this.length = SIDE * SIDE;
    this.blank = FIRST_COLOUR;
    this.paints = true;
    this.canResize = true;
    this.pairs = []; // of the chosen task
  }

  /** Make a grid to begin with, of colour 0. */
  empty(tokens = null) {
    const [rows, columns] = tokens ? cropShape(tokens) : EMPTY;
    return encode(resized([], rows, columns));
  }

  /** What a cell may hold. */
  get palette() {
    return COLOUR_NAMES.map((name, colour) => {
      const keys = colour ? [`${colour}`] : ["0", " ", "Backspace", "Delete"];
      const swatch = `colour${colour}`;
      return { token: FIRST_COLOUR + colour, name: `${colour}`, label: `${colour} ${name}`, keys, swatch };
    });
  }

  /**
   * Say what a cell holds.
   * @param {number} token its id.
   */
  cellName(token) {
    const colour = token - FIRST_COLOUR;
    return COLOUR_NAMES[colour] ? `${colour} ${COLOUR_NAMES[colour]}` : "outside";
  }

  /**
   * Parse a grid.
   * @param {string} text JSON, or lines of digits.
   * @returns {number[]} token ids.
   */
  parse(text) {
    return encode(parseGrid(text));
  }

  /**
   * Write a grid as JSON.
   * @param {number[]} tokens ids.
   */
  text(tokens) {
    return JSON.stringify(crop(tokens));
  }

  /**
   * Write a grid as rows of digits.
   * @param {number[]} tokens ids.
   */
  rows(tokens) {
    return digits(crop(tokens)) || "(no grid)";
  }

  /**
   * Describe the board of a puzzle for `makeBoard`: its grid.
   * @param {number[]} tokens ids.
   */
  board(tokens) {
    return { style: "arc", shape: cropShape(tokens), boxes: null };
  }

  /** Describe the board of an answer: the canvas, of which `window` tells what is shown. */
  answerBoard() {
    return { style: "arc", shape: [SIDE, SIDE], boxes: null };
  }

  /**
   * Find the rows and columns into which several grids fit.
   * @param {number[][]} grids token ids of each.
   * @returns {[number, number]} rows and columns.
   */
  window(grids) {
    const shapes = grids.map(cropShape);
    return [0, 1].map((axis) => Math.max(1, ...shapes.map((shape) => shape[axis])));
  }

  /**
   * Change the size of the grid.
   * @param {number[]} tokens ids.
   * @param {number} rows 1 to 30.
   * @param {number} columns 1 to 30.
   */
  resized(tokens, rows, columns) {
    const limited = (count) => Math.min(Math.max(Math.round(count) || 1, 1), SIDE);
    return encode(resized(crop(tokens), limited(rows), limited(columns)));
  }

  /**
   * Choose the tokens that are drawn: the grid. What a model writes around it means nothing.
   * @param {number[]} tokens ids.
   */
  visible(tokens) {
    const [rows, columns] = cropShape(tokens);
    return tokens.map((token, cell) => {
      const isInside = cell < SIDE * rows && cell % SIDE < columns;
      return isInside ? token : PADDING;
    });
  }

  /** Every grid is a puzzle. */
  puzzleProblem() {
    return null;
  }

  /**
   * Make a judge of the answers to a grid.
   * @param {number[]} puzzle token ids.
   * @returns {(answer: number[]) => {verdict: string, reason: string|null}} judges an answer.
   */
  judge(puzzle) {
    const input = crop(puzzle);
    const pair = this.pairs.find((known) => areEqual(known.input, input));
    return (answer) => verdictOf(pair, crop(answer));
  }
}

function verdictOf(pair, answer) {
  if (!pair) return { verdict: "not known", reason: "the input was changed, so there is no known solution" };
  if (!pair.output) return { verdict: "not known", reason: "the task comes without its solution" };
  if (areEqual(pair.output, answer)) return { verdict: "right", reason: null };
  return { verdict: "wrong", reason: difference(pair.output, answer) };
}

/** How an answer differs from the solution. */
function difference(solution, answer) {
  if (!answer.length) return "it is no grid";
  if (!areEqual(shapeOf(solution), shapeOf(answer))) {
    return `it is ${sizeName(answer)}, but the solution is ${sizeName(solution)}`;
  }
  const cells = solution.flat();
  const count = answer.flat().filter((colour, cell) => colour !== cells[cell]).length;
  return `${count} of ${cells.length} cells differ from the solution`;
}
