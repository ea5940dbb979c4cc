// Elements without a framework.

/**
 * Build an element.
 * @param {string} tag its name.
 * @param {object} attributes by name; those that begin with "on" are listeners, null leaves one out.
 * @param {...(Node|string)} content what is inside.
 */
export function element(tag, attributes = {}, ...content) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value);
  }
  node.append(...content);
  return node;
}

/**
 * Build a board of cells, row by row.
 * @param {object} description its `style`, a class of page.css; `shape`, rows and columns; and `boxes`, rows and
 *   columns of the boxes with lines around them, or null.
 * @param {object} attributes of the board.
 * @returns {{board: HTMLElement, cells: HTMLElement[]}} the board and its cells in order.
 */
export function makeBoard({ style, shape, boxes }, attributes) {
  const [rows, columns] = shape;
  const board = element("div", { class: `board ${style}`, ...attributes });
  const cells = [];
  for (let row = 0; row < rows; row += 1) {
    const line = element("div", { class: "row" });
    for (let column = 0; column < columns; column += 1) {
      const cell = element("span");
      if (boxes) cell.dataset.edge = edges(row, column, columns, boxes);
      line.append(cell);
      cells.push(cell);
    }
    board.append(line);
  }
  setShape(board, shape);
  return { board, cells };
}

/**
 * Show only the first rows and columns of a board.
 * @param {HTMLElement} board as `makeBoard` returns it.
 * @param {[number, number]} shape rows and columns that are shown.
 */
export function showWindow(board, [rows, columns]) {
  [...board.children].forEach((line, row) => {
    [...line.children].forEach((cell, column) => {
      cell.hidden = row >= rows || column >= columns;
    });
  });
  setShape(board, [rows, columns]);
}

function setShape(board, [rows, columns]) {
  board.style.setProperty("--rows", rows);
  board.style.setProperty("--columns", columns);
}

/** The edges of a cell that page.css draws in another way than the others. */
function edges(row, column, columns, [boxRows, boxColumns]) {
  const names = [];
  if (column === columns - 1) names.push("last-column");
  else if ((column + 1) % boxColumns === 0) names.push("right");
  if (row === columns - 1) names.push("last-row");
  else if ((row + 1) % boxRows === 0) names.push("bottom");
  return names.join(" ");
}
