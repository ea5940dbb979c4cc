// Sudoku: ids 0 pad, 1 blank, digit + 1. Says what trm_edge/tasks/sudoku.py says.
import { PuzzleError, place } from "./grid.js";
import { SquareTask } from "./square.js";

export const BLANK = 1;
const BLANKS = ".0_*-?";
const UNITS = ["row", "column", "box"];
// What is drawn around the cells, and what stands between them.
const FRAME = /[\s|+=,;:│┌┬┐├┼┤└┴┘─║╔╦╗╠╬╣╚╩╝═╟╢╤╧╪╫╥╨╭╮╯╰┃┏┳┓┣╋┫┗┻┛━┠┨┯┷┿╂]/gu;
const RULE = /^[\s|+=:*─═━│║┃┌┬┐├┼┤└┴┘╔╦╗╠╬╣╚╩╝╟╢╤╧╪╫╥╨┏┳┓┣╋┫┗┻┛┠┨┯┷┿-]+$/u;
const CROSSING = /[+=─═━┼╋╬]/u; // in a rule, and never in a row

/** Grids of 4, 6, 9, 16 or 25 cells a side. */
export class SudokuTask extends SquareTask {
  /** @param {{columns: number, boxes: [number, number], looks: string[][]}} description of site.json. */
  constructor({ columns, boxes, looks }) {
    super("sudoku", columns, boxes);
    this.symbols = looks.slice(2).map(([text]) => text);
    this.blank = BLANK;
    this.paints = false; // a cell is chosen first, then what it holds
    this.units = this.listUnits();
  }

  /** Make a puzzle to begin with. */
  empty() {
    return new Array(this.length).fill(BLANK);
  }

  /** What a cell of a puzzle may hold. */
  get palette() {
    const digits = this.symbols.map((symbol, index) => {
      return { token: BLANK + 1 + index, name: symbol, keys: [symbol, symbol.toLowerCase()] };
    });
    return [...digits, { token: BLANK, name: "Blank", keys: [".", "0", " ", "Backspace", "Delete"] }];
  }

  /**
   * Say what a cell holds.
   * @param {number} token its id.
   */
  cellName(token) {
    return this.symbols[token - BLANK - 1] ?? "blank";
  }

  /**
   * Parse a grid of several lines, framed or not, or one line with all cells.
   * @param {string} text the grid.
   * @returns {number[]} token ids.
   */
  parse(text) {
    const lines = text.split(/\r?\n/).filter((line) => !line.trim().startsWith("#"));
    const isGrid = lines.filter((line) => line.trim()).length > 1;
    const rows = lines.filter((line) => !(isGrid && this.isRule(line)));
    const cells = [...rows.join("\n").replace(FRAME, "")];
    if (cells.length !== this.length) {
      throw new PuzzleError(`Expected ${this.length} cells, but got ${cells.length}.`);
    }
    return cells.map((character, cell) => this.tokenOf(character, cell));
  }

  /** A line of the frame, not a row of blanks that are written as dashes or stars. */
  isRule(line) {
    if (!RULE.test(line)) return false;
    return CROSSING.test(line) || line.replace(FRAME, "").length !== this.side;
  }

  tokenOf(character, cell) {
    if (BLANKS.includes(character)) return BLANK;
    const index = this.symbols.indexOf(character.toUpperCase());
    if (index >= 0) return BLANK + 1 + index;
    const range = `${this.symbols[0]}-${this.symbols[this.side - 1]}`;
    throw new PuzzleError(
      `Expected ${range} and '.' or '0' for blanks, but got '${character}' at ${place(cell, this.side)}.`,
    );
  }

  /**
   * Write a grid as one character a cell.
   * @param {number[]} tokens ids.
   */
  text(tokens) {
    return tokens.map((token) => this.symbols[token - BLANK - 1] ?? ".").join("");
  }

  /**
   * Say what keeps a grid from being a puzzle.
   * @param {number[]} puzzle token ids.
   * @returns {string|null} the reason, or null where there is none.
   */
  puzzleProblem(puzzle) {
    if (!puzzle.includes(BLANK)) return "No cell is blank: nothing is left to solve.";
    const repeated = this.repeatedDigit(puzzle);
    return repeated && `${repeated.unit} is given ${repeated.symbol} twice.`;
  }

  /**
   * Say why an answer does not solve a puzzle.
   * @param {number[]} puzzle token ids.
   * @param {number[]} answer token ids.
   * @returns {string|null} the reason, or null where the answer is right.
   */
  problem(puzzle, answer) {
    const empty = answer.findIndex((token) => token <= BLANK || token > BLANK + this.side);
    if (empty >= 0) return `${place(empty, this.side)} does not hold a digit`;
    const changed = puzzle.findIndex((token, cell) => token > BLANK && token !== answer[cell]);
    if (changed >= 0) return `${place(changed, this.side)} was given and has been changed`;
    const repeated = this.repeatedDigit(answer);
    return repeated && `${repeated.unit} holds ${repeated.symbol} twice`;
  }

  /** The first unit that holds a digit twice: rows before columns before boxes, small digits first. */
  repeatedDigit(tokens) {
    for (const { name, cells } of this.units) {
      const digits = cells.map((cell) => tokens[cell]).filter((token) => token > BLANK);
      const repeated = digits.filter((token, index) => digits.indexOf(token) !== index);
      if (repeated.length) return { unit: name, symbol: this.cellName(Math.min(...repeated)) };
    }
    return null;
  }

  listUnits() {
    const units = [];
    const [boxRows, boxColumns] = this.boxes;
    const stacks = this.side / boxColumns;
    for (const kind of UNITS) {
      for (let number = 0; number < this.side; number += 1) {
        const cells = [];
        for (let index = 0; index < this.side; index += 1) {
          const row = boxRows * Math.floor(number / stacks) + Math.floor(index / boxColumns);
          const column = boxColumns * (number % stacks) + (index % boxColumns);
          if (kind === "row") cells.push(this.side * number + index);
          if (kind === "column") cells.push(this.side * index + number);
          if (kind === "box") cells.push(this.side * row + column);
        }
        units.push({ name: `${kind} ${number + 1}`, cells });
      }
    }
    return units;
  }
}
