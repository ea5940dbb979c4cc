// Square mazes: ids 0 pad, then `# SGo` from 1. Says what trm_edge/tasks/maze.py says.
import { PuzzleError, neighbours, place } from "./grid.js";
import { SquareTask } from "./square.js";

const [PAD, WALL, OPEN, START, GOAL, WAY] = [0, 1, 2, 3, 4, 5];
const CHARACTERS = "?#.SGo"; // by id
const IDS = { "#": WALL, "█": WALL, ".": OPEN, " ": OPEN, S: START, s: START, G: GOAL, g: GOAL };
const CELL_NAMES = ["padding", "wall", "open", "start", "goal", "path"];
const NAMES = ["padding", "a wall", "open", "the start", "the goal", "the path"];

/** Mazes with a start and a goal; an answer marks a shortest path between them. */
export class MazeTask extends SquareTask {
  /** @param {{columns: number}} description `task` of site.json. */
  constructor({ columns }) {
    super("maze", columns, null);
    this.blank = OPEN;
    this.paints = true; // what to draw is chosen first, then the cells
  }

  /** Make a puzzle to begin with. */
  empty() {
    const tokens = new Array(this.length).fill(OPEN);
    tokens[0] = START;
    tokens[this.length - 1] = GOAL;
    return tokens;
  }

  /** What a cell of a puzzle may hold; a puzzle has only one of `single` tokens. */
  get palette() {
    return [
      { token: WALL, name: "Wall", keys: ["#", "w", "W"] },
      { token: OPEN, name: "Open", keys: [".", " ", "Backspace", "Delete"] },
      { token: START, name: "Start", keys: ["s", "S"], single: true },
      { token: GOAL, name: "Goal", keys: ["g", "G"], single: true },
    ];
  }

  /**
   * Say what a cell holds.
   * @param {number} token its id.
   */
  cellName(token) {
    return CELL_NAMES[token];
  }

  /**
   * Parse a picture of as many lines as the maze has rows, or one line with all cells.
   * @param {string} text the maze.
   * @returns {number[]} token ids.
   */
  parse(text) {
    const lines = text.split(/\r?\n/).filter((line) => line !== "" && !/^[┌└]/u.test(line));
    const rows = lines.length === 1 ? lines : lines.map((line) => this.row(line));
    if (rows.length !== 1 && rows.length !== this.side) {
      throw new PuzzleError(
        `Expected ${this.side} rows of ${this.side} characters, or ${this.length} characters in one line, ` +
          `but got ${rows.length} rows.`,
      );
    }
    const cells = [...rows.join("")];
    if (cells.length !== this.length) {
      throw new PuzzleError(`Expected ${this.length} characters, but got ${cells.length}.`);
    }
    return cells.map((character, cell) => this.tokenOf(character, cell));
  }

  /** A row of a picture; in a frame every cell has two characters. Editors cut spaces at line ends. */
  row(line) {
    const framed = /^│(.*)│\s*$/u.exec(line);
    if (!framed) return line.padEnd(this.side);
    return [...framed[1]].filter((_, index) => index % 2 === 0).join("");
  }

  tokenOf(character, cell) {
    const token = IDS[character];
    if (token !== undefined) return token;
    throw new PuzzleError(
      `Expected '#', '.' or ' ', 'S', 'G', but got '${character}' at ${place(cell, this.side)}.`,
    );
  }

  /**
   * Write a maze as one character a cell.
   * @param {number[]} tokens ids.
   */
  text(tokens) {
    return tokens.map((token) => CHARACTERS[token]).join("");
  }

  /**
   * Say what keeps a maze from being a puzzle.
   * @param {number[]} puzzle token ids.
   * @returns {string|null} the reason, or null where there is none.
   */
  puzzleProblem(puzzle) {
    const reason = this.reasonAgainst(puzzle);
    return reason && `${reason[0].toUpperCase()}${reason.slice(1)}.`;
  }

  /**
   * Say why an answer does not solve a puzzle.
   * @param {number[]} puzzle token ids.
   * @param {number[]} answer token ids.
   * @returns {string|null} the reason, or null where the answer is right.
   */
  problem(puzzle, answer) {
    return this.reasonAgainst(puzzle) ?? this.change(puzzle, answer) ?? this.pathProblem(answer);
  }

  reasonAgainst(maze) {
    const starts = maze.filter((token) => token === START).length;
    const goals = maze.filter((token) => token === GOAL).length;
    if (starts !== 1 || goals !== 1) {
      return `expected one S and one G, but got ${starts} and ${goals}`;
    }
    return this.shortestPath(maze) === null ? "there is no path from S to G" : null;
  }

  /** Where an answer does more than mark open cells. */
  change(puzzle, answer) {
    const cell = puzzle.findIndex((token, index) => {
      const isMarked = token === OPEN && answer[index] === WAY;
      return token !== answer[index] && !isMarked;
    });
    if (cell < 0) return null;
    return `${place(cell, this.side)} was ${NAMES[puzzle[cell]]} and is now ${NAMES[answer[cell]]}`;
  }

  /** Why the marked cells are not one shortest path. */
  pathProblem(answer) {
    const length = this.pathLength(answer);
    if (typeof length === "string") return length;
    const shortest = this.shortestPath(answer);
    return length === shortest ? null : `the path takes ${length} steps, but ${shortest} are enough`;
  }

  /** The steps along the marked cells; or, as text, why they are not exactly one path. */
  pathLength(answer) {
    const start = answer.indexOf(START);
    const goal = answer.indexOf(GOAL);
    const path = [start];
    for (let end = start; end !== goal; ) {
      const ahead = neighbours(end, this.side).filter((cell) => {
        return (answer[cell] === WAY || cell === goal) && !path.slice(-2).includes(cell);
      });
      if (!ahead.length) return `the path from S ends at ${place(end, this.side)}, not at G`;
      if (ahead.length > 1) return `the path branches at ${place(end, this.side)}`;
      [end] = ahead;
      path.push(end);
    }
    const astray = answer.findIndex((token, cell) => token === WAY && !path.includes(cell));
    if (astray >= 0) return `${place(astray, this.side)} is marked, but is not on the path`;
    return path.length - 1;
  }

  /** The steps of the shortest path through cells that are no walls; null where there is none. */
  shortestPath(maze) {
    const goal = maze.indexOf(GOAL);
    const closed = maze.map((token) => token === WALL || token === PAD);
    let front = [maze.indexOf(START)];
    closed[front[0]] = true;
    for (let steps = 0; front.length; steps += 1) {
      if (front.includes(goal)) return steps;
      const reached = [];
      for (const cell of front.flatMap((inside) => neighbours(inside, this.side))) {
        if (closed[cell]) continue;
        closed[cell] = true;
        reached.push(cell);
      }
      front = reached;
    }
    return null;
  }
}
