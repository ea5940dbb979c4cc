// Small pictures of ARC grids.
import { digits, shapeOf, sizeName } from "./arc-grids.js";
import { element, makeBoard } from "./dom.js";

/**
 * Draw a grid.
 * @param {number[][]} grid colours.
 * @param {string} name what the grid is.
 */
export function makeThumbnail(grid, name) {
  const text = digits(grid).replaceAll("\n", "; ");
  const label = { role: "img", "aria-label": `${name}, ${sizeName(grid)}: ${text}` };
  const { board, cells } = makeBoard({ style: "arc", shape: shapeOf(grid), boxes: null }, label);
  grid.flat().forEach((colour, cell) => {
    cells[cell].className = `colour${colour}`;
  });
  if (!grid.length) board.classList.add("empty");
  const thumbnail = element("div", { class: "stage thumbnail" }, board);
  thumbnail.style.setProperty("--side", Math.max(...shapeOf(grid)));
  return thumbnail;
}
