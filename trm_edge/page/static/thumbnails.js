// Small pictures of ARC grids.
import { FIRST_COLOUR, digits, shapeOf, sizeName } from "./arc-grids.js";
import { element, makeBoard } from "./dom.js";

/**
 * Draw a grid.
 * @param {object} description `task` of site.json.
 * @param {number[][]} grid colours.
 * @param {string} name what the grid is.
 */
export function makeThumbnail(description, grid, name) {
  const text = digits(grid).replaceAll("\n", "; ");
  const label = { role: "img", "aria-label": `${name}, ${sizeName(grid)}: ${text}` };
  const { board, cells } = makeBoard(description, shapeOf(grid), label);
  grid.flat().forEach((colour, cell) => {
    [, cells[cell].className] = description.looks[colour + FIRST_COLOUR];
  });
  if (!grid.length) board.classList.add("empty");
  return element("div", { class: "stage thumbnail" }, board);
}
