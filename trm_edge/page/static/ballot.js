// Lets the variants of an ARC task vote: each asks by its own row, and its answer is turned back.
import { crop, encode } from "./arc-grids.js";
import { VoteCount, augmented, original } from "./arc-variants.js";
import { element } from "./dom.js";
import { makeThumbnail } from "./thumbnails.js";

const SHOWN = 3; // answers

/**
 * Ask every variant.
 * @param {object} model solves.
 * @param {string} graph name of a graph in site.json.
 * @param {number[]} puzzle token ids of the grid.
 * @param {[number, string, number][]} variants turn or reflection, colours and row of each.
 * @param {(number: number) => void} onVariant is told which variant is asked, from 1.
 * @returns {Promise<object[]|null>} the answers, best first; null where it was stopped.
 */
export async function askVariants(model, graph, puzzle, variants, onVariant) {
  const grid = crop(puzzle);
  const count = new VoteCount();
  for (const [index, [transform, colours, row]] of variants.entries()) {
    onVariant(index + 1);
    const variant = [transform, colours];
    const tokens = encode(augmented(grid, variant));
    const step = await model.solve(graph, tokens, "adaptive", () => {}, row);
    if (step === null) return null;
    count.add(original(crop(step.tokens), variant), step.confidence);
  }
  return count.ranking();
}

/**
 * Show the answers with the most votes.
 * @param {object[]} ranking as `askVariants` returns it.
 * @param {(answer: number[]) => {verdict: string}} judge of the answers.
 */
export function makeRanking(ranking, judge) {
  const entries = ranking.slice(0, SHOWN).map(({ grid, votes, confidence }, place) => {
    const { verdict } = judge(encode(grid));
    const noun = votes === 1 ? "vote" : "votes";
    const text = `${votes} ${noun}, ${(100 * confidence).toFixed(1)} % confidence: ${verdict}`;
    const picture = makeThumbnail(grid, `Answer ${place + 1}`);
    return element("li", {}, picture, element("span", {}, text));
  });
  return element("ol", { class: "ranking", "aria-label": "Answers by votes" }, ...entries);
}
