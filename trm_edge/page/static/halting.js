// When a puzzle stops, and how sure the halting head is.

/** The halting rule that a model was trained with, from its manifest. */
export class HaltingRule {
  /**
   * @param {object} model `model` of the manifest.
   * @param {"adaptive"|"fixed"} mode `adaptive` follows the halting head, `fixed` runs every step.
   */
  constructor(model, mode = "adaptive") {
    this.comparesContinue = !model.no_ACT_continue;
    this.maxSteps = model.halt_max_steps;
    this.mode = mode;
  }

  /**
   * Read the halting head's decision, whatever the mode and the step.
   * @param {number} qHalt logit for halting.
   * @param {number} qContinue logit against it.
   */
  wantsToStop(qHalt, qContinue) {
    return qHalt > (this.comparesContinue ? qContinue : 0);
  }

  /**
   * Decide whether a puzzle is done.
   * @param {number} step ACT steps that it has taken.
   * @param {number} qHalt logit of the last step.
   * @param {number} qContinue logit of the last step.
   */
  isDone(step, qHalt, qContinue) {
    if (step >= this.maxSteps) return true;
    return this.mode === "adaptive" && this.wantsToStop(qHalt, qContinue);
  }
}

/**
 * Turn a halting logit into the probability that the answer is right.
 * @param {number} qHalt the logit.
 */
export function confidence(qHalt) {
  return 1 / (1 + Math.exp(-qHalt));
}
