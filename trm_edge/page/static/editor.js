// The board on which a puzzle is typed or drawn: by keyboard, mouse and touch.
import { element, makeBoard } from "./dom.js";
import { place } from "./grid.js";

const MAX_BUTTONS = 6; // side by side
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** A board that can be edited, and the buttons below it. */
export class Editor {
  /**
   * @param {object} task parses and judges puzzles.
   * @param {object} description `task` of site.json.
   * @param {() => void} onChange is called after every change by the visitor.
   */
  constructor(task, description, onChange) {
    this.task = task;
    this.side = description.columns;
    this.looks = description.looks;
    this.onChange = onChange;
    this.paints = task.paints;
    this.entries = task.palette;
    [this.brush] = this.entries;
    this.selected = 0;
    this.isPainting = false;
    const { board, cells } = makeBoard(description, { role: "grid", "aria-label": "Puzzle" });
    this.board = board;
    this.cells = cells;
    for (const row of board.children) row.setAttribute("role", "row");
    for (const cell of cells) cell.setAttribute("role", "gridcell");
    this.palette = this.makePalette();
    this.root = element("div", {}, element("div", { class: "stage" }, board), this.palette);
    this.tokens = task.empty();
    this.listen();
    this.draw();
  }

  /**
   * Show another puzzle.
   * @param {number[]} tokens its ids.
   */
  load(tokens) {
    this.tokens = [...tokens];
    this.draw();
  }

  makePalette() {
    const buttons = this.entries.map((entry) => {
      const use = () => {
        this.brush = entry;
        if (!this.paints) this.write(this.selected, entry);
        this.draw();
      };
      return element("button", { type: "button", onclick: use }, entry.name);
    });
    const label = this.paints ? "Draw with" : "Write into the chosen cell";
    const palette = element("div", { class: "palette", role: "group", "aria-label": label }, ...buttons);
    const rows = Math.ceil(buttons.length / MAX_BUTTONS);
    palette.style.setProperty("--columns", Math.ceil(buttons.length / rows));
    return palette;
  }

  listen() {
    this.board.addEventListener("keydown", (event) => this.press(event));
    this.board.addEventListener("pointerdown", (event) => this.touch(event));
    this.board.addEventListener("pointermove", (event) => this.drag(event));
    for (const name of ["pointerup", "pointercancel"]) {
      addEventListener(name, () => {
        this.isPainting = false;
      });
    }
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
    const row = Math.floor(this.selected / this.side) + rows;
    const column = (this.selected % this.side) + columns;
    if (Math.min(row, column) < 0 || Math.max(row, column) >= this.side) return;
    this.select(this.side * row + column);
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
    if (cell >= 0 && this.tokens[cell] !== this.brush.token) this.write(cell, this.brush);
  }

  /** Put a token into a cell; one that a puzzle has only once leaves the cell where it was. */
  write(cell, { token, single }) {
    if (single) {
      this.tokens = this.tokens.map((other) => (other === token ? this.task.blank : other));
    }
    this.tokens[cell] = token;
    this.draw();
    this.onChange();
  }

  draw() {
    this.cells.forEach((cell, index) => {
      const token = this.tokens[index];
      const [text, name] = this.looks[token];
      const isSelected = index === this.selected;
      cell.textContent = text;
      cell.className = `${name} clue${isSelected ? " selected" : ""}`;
      cell.tabIndex = isSelected ? 0 : -1;
      cell.setAttribute("aria-label", `${place(index, this.side)}: ${this.task.cellName(token)}`);
    });
    if (!this.paints) return;
    [...this.palette.children].forEach((button, index) => {
      button.setAttribute("aria-pressed", this.entries[index] === this.brush);
    });
  }
}
