// What tasks on square boards have in common: every cell is a token, and rules judge an answer.

/** A task whose board always has the same size. */
export class SquareTask {
  /** @param {number} side cells in a row. */
  constructor(side) {
    this.side = side;
    this.length = side * side;
    this.canResize = false;
  }

  /** Say how many rows and columns the board has. */
  shape() {
    return [this.side, this.side];
  }

  /**
   * Choose the tokens that are drawn: all of them.
   * @param {number[]} tokens ids.
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
