// ARC grids, a list of rows of colours 0 to 9 each, as the tokens of a canvas of 30 x 30 cells and back.
// Does what trm_edge/arc/encoding.py, crop.py and grids.py do.
import { PuzzleError } from "./grid.js";

export const SIDE = 30;
export const COLOURS = 10;
export const FIRST_COLOUR = 2; // token of colour 0
export const PADDING = 0;
const END = 1;
const ROW_OF_DIGITS = /^[\d\s,;|]+$/;

/**
 * Encode a grid: in the corner of the canvas, with end markers below it and to its right.
 * @param {number[][]} grid colours.
 * @returns {number[]} 900 token ids.
 */
export function encode(grid) {
  const tokens = new Array(SIDE * SIDE).fill(PADDING);
  const [rows, columns] = shapeOf(grid);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      tokens[SIDE * row + column] = grid[row][column] + FIRST_COLOUR;
    }
    if (columns < SIDE) tokens[SIDE * row + columns] = END;
  }
  if (rows < SIDE) tokens.fill(END, SIDE * rows, SIDE * rows + columns);
  return tokens;
}

/**
 * Find the size of the grid on a canvas: the largest block of colours at its top left, of equal ones the flattest.
 * @param {number[]} tokens 900 ids.
 * @returns {[number, number]} rows and columns; 0, 0 where the first cell is no colour.
 */
export function cropShape(tokens) {
  let best = [0, 0];
  let columns = SIDE;
  for (let row = 0; row < SIDE; row += 1) {
    columns = Math.min(columns, leadingColours(tokens, row));
    if ((row + 1) * columns > best[0] * best[1]) best = [row + 1, columns];
  }
  return best;
}

function leadingColours(tokens, row) {
  for (let column = 0; column < SIDE; column += 1) {
    if (!isColour(tokens[SIDE * row + column])) return column;
  }
  return SIDE;
}

function isColour(token) {
  return token >= FIRST_COLOUR && token < FIRST_COLOUR + COLOURS;
}

/**
 * Cut the grid out of a canvas.
 * @param {number[]} tokens 900 ids.
 * @returns {number[][]} colours; without rows where the first cell is no colour.
 */
export function crop(tokens) {
  const [rows, columns] = cropShape(tokens);
  return Array.from({ length: rows }, (_, row) => {
    return tokens.slice(SIDE * row, SIDE * row + columns).map((token) => token - FIRST_COLOUR);
  });
}

/**
 * Change the size of a grid; new cells have colour 0.
 * @param {number[][]} grid colours.
 * @param {number} rows of the new grid.
 * @param {number} columns of the new grid.
 */
export function resized(grid, rows, columns) {
  return Array.from({ length: rows }, (_, row) => {
    return Array.from({ length: columns }, (__, column) => grid[row]?.[column] ?? 0);
  });
}

/**
 * Count the rows and columns of a grid.
 * @param {number[][]} grid colours.
 */
export function shapeOf(grid) {
  return [grid.length, grid[0]?.length ?? 0];
}

/**
 * Name the size of a grid.
 * @param {number[][]} grid colours.
 */
export function sizeName(grid) {
  const [rows, columns] = shapeOf(grid);
  return rows ? `${rows} x ${columns}` : "no grid";
}

/**
 * Compare two grids.
 * @param {number[][]} first colours.
 * @param {number[][]} second colours.
 */
export function areEqual(first, second) {
  return JSON.stringify(first) === JSON.stringify(second);
}

/**
 * Write a grid as rows of digits.
 * @param {number[][]} grid colours.
 */
export function digits(grid) {
  return grid.map((row) => row.join(" ")).join("\n");
}

/**
 * Parse a grid as JSON, or as lines of digits.
 * @param {string} text such as `[[0, 1], [2, 3]]`, or `0 1` and `2 3` on two lines.
 * @returns {number[][]} colours.
 */
export function parseGrid(text) {
  const lines = text.split("\n").filter((line) => line.trim());
  if (lines.length && lines.every((line) => ROW_OF_DIGITS.test(line))) {
    return checkedGrid(lines.map((line) => [...line.replace(/\D/g, "")].map(Number)));
  }
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new PuzzleError("Expected a grid: [[0, 1], [2, 3]] as JSON, or lines of digits.");
  }
  if (value !== null && typeof value === "object" && !Array.isArray(value)) {
    throw new PuzzleError(
      "This is no grid, but a task. A model answers a task by a row of its table, and the rows are put into the " +
        "page when it is written, with --tasks. Here, paste the grid of an input alone.",
    );
  }
  return checkedGrid(value);
}

/** Refuse what is no grid, for the reasons of trm_edge/arc/grids.py. */
function checkedGrid(value) {
  if (!Array.isArray(value) || !value.length) throw new PuzzleError("A grid must be a list of rows.");
  if (value.length > SIDE) {
    throw new PuzzleError(`The grid has ${value.length} rows, and at most ${SIDE} are allowed.`);
  }
  value.forEach((row, index) => {
    const reason = reasonAgainst(row, value[0]);
    if (reason) throw new PuzzleError(`Row ${index + 1} ${reason}.`);
  });
  return value;
}

function reasonAgainst(row, first) {
  if (!Array.isArray(row) || !row.length) return "must be a list of colours";
  if (row.length > SIDE) return `has ${row.length} cells, and at most ${SIDE} are allowed`;
  if (row.length !== first.length) return `has ${row.length} cells, but row 1 has ${first.length}`;
  const other = row.find((cell) => !Number.isInteger(cell) || cell < 0 || cell >= COLOURS);
  if (other === undefined) return null;
  return `holds ${JSON.stringify(other).slice(0, 20)}, and colours are 0 to ${COLOURS - 1}`;
}
