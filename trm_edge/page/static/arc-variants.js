// Variants of ARC tasks: turns, reflections and permutations of colours, and the votes of their answers.
// Does what trm_edge/dihedral.py, arc/augmentation.py and arc/votes.py do.

const INVERSES = [0, 3, 2, 1, 4, 5, 6, 7];

/**
 * Turn or reflect a grid.
 * @param {number[][]} grid colours.
 * @param {number} number 0 the identity; 1, 2, 3 quarter turns counter-clockwise; 4 left-right; 5 up-down; 6 the
 *   transpose; 7 the other diagonal.
 */
export function dihedral(grid, number) {
  const upsideDown = [...grid].reverse();
  const turns = [
    () => grid,
    () => transposed(grid).reverse(),
    () => mirrored(upsideDown),
    () => transposed(upsideDown),
    () => mirrored(grid),
    () => upsideDown,
    () => transposed(grid),
    () => transposed(mirrored(upsideDown)),
  ];
  return turns[number]();
}

function mirrored(grid) {
  return grid.map((row) => [...row].reverse());
}

function transposed(grid) {
  return (grid[0] ?? []).map((_, column) => grid.map((row) => row[column]));
}

/**
 * Change a grid as its variant says.
 * @param {number[][]} grid colours.
 * @param {[number, string]} variant number of the turn or reflection, and the new colour of each colour.
 */
export function augmented(grid, [transform, colours]) {
  return dihedral(recoloured(grid, [...colours].map(Number)), transform);
}

/**
 * Turn the grid of a variant back.
 * @param {number[][]} grid colours.
 * @param {[number, string]} variant as for `augmented`.
 */
export function original(grid, [transform, colours]) {
  const old = [...colours].map((_, colour) => colours.indexOf(`${colour}`));
  return dihedral(recoloured(grid, old), INVERSES[transform]);
}

function recoloured(grid, colours) {
  return grid.map((row) => row.map((colour) => colours[colour]));
}

/** Counts the votes of variants for answers. */
export class VoteCount {
  constructor() {
    this.tallies = new Map();
  }

  /**
   * Count a vote.
   * @param {number[][]} grid the answer, turned back.
   * @param {number} confidence of the halting head, 0 to 1.
   */
  add(grid, confidence) {
    const key = JSON.stringify(grid);
    const tally = this.tallies.get(key) ?? { grid, votes: 0, total: 0 };
    tally.votes += 1;
    tally.total += confidence;
    this.tallies.set(key, tally);
  }

  /**
   * Rank the answers: more votes first, of equal ones the higher mean confidence, then the one seen first.
   * @returns {{grid: number[][], votes: number, confidence: number}[]} the answers, best first.
   */
  ranking() {
    const candidates = [...this.tallies.values()].map(({ grid, votes, total }) => {
      return { grid, votes, confidence: total / votes };
    });
    return candidates.sort((first, second) => {
      return second.votes - first.votes || second.confidence - first.confidence;
    });
  }
}
