// The board on which a puzzle is typed or drawn: by keyboard, mouse and touch.
import { element, makeBoard } from "./dom.js";
import { place } from "./grid.js";

const MAX_BUTTONS = 6; // side by side
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** A board that can be edited, and the buttons below it. Its cells are the first ones of the tokens' rows. */
export class Editor {
  /**
   * @param {object} task parses and judges puzzles.
   * @param {object} description `task` of site.json.
   * @param {() => void} onChange is called after every change by the visitor.
   */
  constructor(task, description, onChange) {
    this.task = task;
    this.stride = description.columns;
    this.looks = description.looks;
    this.onChange = onChange;
    this.paints = task.paints;
    this.entries = task.palette;
    [this.brush] = this.entries;
    this.selected = 0;
    this.isPainting = false;
    this.shape = null;
    this.stage = element("div", { class: "stage" });
    this.palette = this.makePalette();
    this.root = element("div", {}, this.stage, this.palette);
    if (task.canResize) this.root.append(this.makeSizes());
    addEventListener("pointerup", () => this.stopPainting());
    addEventListener("pointercancel", () => this.stopPainting());
    this.load(task.empty());
  }

  /**
   * Show another puzzle.
   * @param {number[]} tokens its ids.
   */
  load(tokens) {
    this.tokens = [...tokens];
    const board = this.task.board(tokens);
    if (`${board.shape}` !== `${this.shape}`) this.build(board);
    this.draw();
  }

  /** Build the board, as the task describes it. */
  build(description) {
    this.shape = description.shape;
    this.selected = 0;
    const { board, cells } = makeBoard(description, { role: "grid", "aria-label": "Puzzle" });
    this.cells = cells;
    for (const row of board.children) row.setAttribute("role", "row");
    for (const cell of cells) cell.setAttribute("role", "gridcell");
    board.addEventListener("keydown", (event) => this.press(event));
    board.addEventListener("pointerdown", (event) => this.touch(event));
    board.addEventListener("pointermove", (event) => this.drag(event));
    this.stage.replaceChildren(board);
    this.sizes?.forEach((input, axis) => {
      input.value = this.shape[axis];
    });
  }

  /** The place of a cell among the tokens. */
  position(cell) {
    const [, columns] = this.shape;
    return this.stride * Math.floor(cell / columns) + (cell % columns);
  }

  makePalette() {
    const buttons = this.entries.map((entry) => {
      const use = () => {
        this.brush = entry;
        if (!this.paints) this.write(this.selected, entry);
        this.draw();
      };
      const { name, label = null } = entry;
      const attributes = { type: "button", onclick: use, "aria-label": label, title: label };
      return element("button", attributes, ...makeSwatch(entry), name);
    });
    const label = this.paints ? "Draw with" : "Write into the chosen cell";
    const palette = element("div", { class: "palette", role: "group", "aria-label": label }, ...buttons);
    const rows = Math.ceil(buttons.length / MAX_BUTTONS);
    palette.style.setProperty("--columns", Math.ceil(buttons.length / rows));
    return palette;
  }

  /** Two fields for the size of the board. */
  makeSizes() {
    this.sizes = ["Rows", "Columns"].map((name) => {
      const resize = () => this.resize();
      return element("input", { type: "number", min: 1, max: 30, "aria-label": name, onchange: resize });
    });
    const [rows, columns] = this.sizes;
    return element("p", { class: "sizes" }, rows, "rows of", columns, "cells");
  }

  resize() {
    this.load(this.task.resized(this.tokens, ...this.sizes.map((input) => Number(input.value))));
    this.sizes.forEach((input, axis) => {
      input.value = this.shape[axis];
    });
    this.onChange();
  }

  stopPainting() {
    this.isPainting = false;
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const move = MOVES[event.key];
    if (move) {
      this.moveBy(...move);
    } else if (this.paints && event.key === "Enter") {
      this.write(this.selected, this.brush);
    } else {
      const entry = this.entries.find(({ keys }) => keys.includes(event.key));
      if (!entry) return;
      this.write(this.selected, entry);
    }
    event.preventDefault();
  }

  moveBy(rows, columns) {
    const [height, width] = this.shape;
    const row = Math.floor(this.selected / width) + rows;
    const column = (this.selected % width) + columns;
    if (row < 0 || column < 0 || row >= height || column >= width) return;
    this.select(width * row + column);
  }

  select(cell) {
    this.selected = cell;
    this.draw();
    this.cells[cell].focus();
  }

  touch(event) {
    const cell = this.cells.indexOf(event.target.closest("[role=gridcell]"));
    if (cell < 0) return;
    this.select(cell);
    event.preventDefault();
    if (!this.paints) return;
    this.isPainting = true;
    this.write(cell, this.brush);
  }

  drag(event) {
    if (!this.isPainting) return;
    const node = document.elementFromPoint(event.clientX, event.clientY);
    const cell = this.cells.indexOf(node);
    if (cell >= 0 && this.tokens[this.position(cell)] !== this.brush.token) this.write(cell, this.brush);
  }

  /** Put a token into a cell; one that a puzzle has only once leaves the cell where it was. */
  write(cell, { token, single }) {
    if (single) {
      this.tokens = this.tokens.map((other) => (other === token ? this.task.blank : other));
    }
    this.tokens[this.position(cell)] = token;
    this.draw();
    this.onChange();
  }

  draw() {
    this.cells.forEach((cell, index) => {
      const token = this.tokens[this.position(index)];
      const [text, name] = this.looks[token];
      const isSelected = index === this.selected;
      cell.textContent = text;
      cell.className = `${name} clue${isSelected ? " selected" : ""}`;
      cell.tabIndex = isSelected ? 0 : -1;
      cell.setAttribute("aria-label", `${place(index, this.shape[1])}: ${this.task.cellName(token)}`);
    });
    if (!this.paints) return;
    [...this.palette.children].forEach((button, index) => {
      button.setAttribute("aria-pressed", this.entries[index] === this.brush);
    });
  }
}

/** What shows the colour of an entry, where it has one. */
function makeSwatch({ swatch }) {
  if (!swatch) return [];
  return [element("span", { class: "arc swatch" }, element("span", { class: swatch }))];
}
