// What tasks on square boards have in common: every cell is a token, and rules judge an answer.

/** A task whose board always has the same size. */
export class SquareTask {
  /**
   * @param {string} style class of its board in page.css.
   * @param {number} side cells in a row.
   * @param {[number, number]|null} boxes rows and columns of the boxes with lines around them.
   */
  constructor(style, side, boxes) {
    this.style = style;
    this.side = side;
    this.boxes = boxes;
    this.length = side * side;
    this.canResize = false;
  }

  /** Describe the board of a puzzle for `makeBoard`. */
  board() {
    return { style: this.style, shape: [this.side, this.side], boxes: this.boxes };
  }

  /** Describe the board of an answer, which is that of the puzzle. */
  answerBoard() {
    return this.board();
  }

  /**
   * Choose the tokens that are drawn: all of them.
   * @param {number[]} tokens ids of a puzzle or an answer.
   */
  visible(tokens) {
    return tokens;
  }

  /**
   * Write an answer in rows.
   * @param {number[]} tokens ids.
   */
  rows(tokens) {
    const text = this.text(tokens);
    return text.match(new RegExp(`.{${this.side}}`, "g")).join("\n");
  }

  /**
   * Make a judge of the answers to a puzzle.
   * @param {number[]} puzzle token ids.
   * @returns {(answer: number[]) => {verdict: string, reason: string|null}} judges an answer.
   */
  judge(puzzle) {
    return (answer) => {
      const reason = this.problem(puzzle, answer);
      return { verdict: reason === null ? "valid" : "not valid", reason };
    };
  }
}
