// Cells of a square grid, numbered row by row.

/** A text is not a puzzle, or a puzzle breaks the rules; the message says why. */
export class PuzzleError extends Error {}

/**
 * Name the place of a cell, counted from 1.
 * @param {number} cell index of the cell, from 0.
 * @param {number} side cells in a row.
 */
export function place(cell, side) {
  return `row ${Math.floor(cell / side) + 1}, column ${(cell % side) + 1}`;
}

/**
 * List the cells one step away.
 * @param {number} cell index of the cell, from 0.
 * @param {number} side cells in a row.
 */
export function neighbours(cell, side) {
  const column = cell % side;
  const list = [];
  if (cell >= side) list.push(cell - side);
  if (cell < side * (side - 1)) list.push(cell + side);
  if (column > 0) list.push(cell - 1);
  if (column < side - 1) list.push(cell + 1);
  return list;
}

/**
 * List the cells at which two boards differ.
 * @param {number[]} before token ids.
 * @param {number[]} after token ids.
 */
export function changedCells(before, after) {
  const cells = [];
  after.forEach((token, cell) => {
    if (token !== before[cell]) cells.push(cell);
  });
  return cells;
}
