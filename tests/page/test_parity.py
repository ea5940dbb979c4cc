"""The bundle's held-out puzzles, solved through the page's own code, against ``parity.npz``."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.page.browser import Visit
from tests.page.node import run_script
from trm_edge.bundle import Bundle
from trm_edge.evaluation.vectors import ParityVectors

pytestmark = pytest.mark.page

PUZZLES = 100
NODE_PUZZLES = 24
IN_THE_BROWSER = """
async ({ graph, puzzles }) => {
  const { Model } = await import("/assets/model.js");
  const model = new Model(() => {});
  await model.open();
  await model.load(graph);
  const answers = [];
  for (const puzzle of puzzles) {
    const { step, tokens } = await model.solve(graph, puzzle, "adaptive", () => {});
    answers.push([step, tokens]);
  }
  return answers;
}
"""
UNDER_NODE = """
const path = (name) => new URL(`../${name}`, folder);
const ort = await import(path("runtime/onnxruntime.js"));
const { Site } = await load("site.js");
const { Solver } = await load("solver.js");
const site = await Site.open(async (name) => new Uint8Array(fs.readFileSync(path(name))));
const solver = await Solver.open(ort, site, 1);
const answers = [];
for (const puzzle of data.puzzles) {
  for await (const { step, tokens, isDone } of solver.solve(data.graph, puzzle, "adaptive")) {
    if (isDone) answers.push([step, tokens]);
  }
}
return answers;
"""


@dataclass(frozen=True)
class Comparison:
    """Answers beside those that the bundle has of the float32 model on a CPU.

    Args:
        same_step: share of puzzles that halt at the same step.
        same_answer: share with the same answer.
        lost: puzzles that the float32 model has right and the page has not.
        gained: the other way round.
    """

    same_step: float
    same_answer: float
    lost: int
    gained: int


def compare(answers: list[Any], vectors: ParityVectors) -> Comparison:
    steps, tokens = zip(*answers, strict=True)
    reference = vectors.answers(adaptive=True)
    found = np.array(tokens)
    right = is_right(found, vectors)
    expected = is_right(reference, vectors)
    return Comparison(
        same_step=float((np.array(steps) == vectors.halting_steps).mean()),
        same_answer=float((found == reference).all(1).mean()),
        lost=int((expected & ~right).sum()),
        gained=int((right & ~expected).sum()),
    )


def is_right(tokens: NDArray[Any], vectors: ParityVectors) -> NDArray[np.bool_]:
    """Which of the answers are the known ones."""
    right: NDArray[np.bool_] = (tokens == vectors.labels).all(1)
    return right


def check(comparison: Comparison, graph: str, bundle: Bundle) -> None:
    """Hold float32 to what rounding alone changes, and INT8 to the limits of the bundle."""
    if graph == "float32":
        floor = bundle.floor()
        assert floor is not None
        flips = [
            len(change.lost_adaptive) + len(change.gained_adaptive) for change in floor.changes
        ]
        assert comparison.lost + comparison.gained <= max(2, *flips), comparison
        assert comparison.same_step >= 0.97, comparison
        assert comparison.same_answer >= 0.97, comparison
        return
    limit = bundle.manifest.limits.min_halting_agreement
    assert comparison.same_step >= limit - 0.05, comparison  # on a fifth of the puzzles
    assert chance(comparison.lost, comparison.gained) >= 0.01, comparison


def chance(lost: int, gained: int) -> float:
    """How likely as many losses are among as many flips, where both ways are equally likely."""
    flips = lost + gained
    return float(sum(comb(flips, count) for count in range(lost, flips + 1)) / 2**flips)


@pytest.mark.parametrize("graph", ["cpu", "float32"])
@pytest.mark.parametrize("model", ["sudoku", "maze"])
def test_the_browser_answers_as_the_bundle_says(
    model: str, graph: str, bundles: dict[str, Path], urls: dict[str, str], visit: Visit
) -> None:
    bundle = Bundle.open(bundles[model])
    vectors = bundle.parity().first(PUZZLES)
    visitor = visit(urls[model])
    visitor.open()
    data = {"graph": graph, "puzzles": vectors.tokens.tolist()}
    comparison = compare(visitor.page.evaluate(IN_THE_BROWSER, data), vectors)
    print(f"{model}, {graph}, {PUZZLES} puzzles: {comparison}")
    check(comparison, graph, bundle)
    assert visitor.problems == []


def test_node_answers_as_the_bundle_says(bundles: dict[str, Path], sites: dict[str, Path]) -> None:
    bundle = Bundle.open(bundles["sudoku"])
    vectors = bundle.parity().first(NODE_PUZZLES)
    data = {"graph": "float32", "puzzles": vectors.tokens.tolist()}
    folder = sites["sudoku"] / "assets"
    (folder / "package.json").write_text('{ "type": "module" }')  # as beside the sources
    (folder.parent / "runtime" / "package.json").write_text('{ "type": "module" }')
    comparison = compare(run_script(UNDER_NODE, data, folder), vectors)
    print(f"sudoku, float32, under Node, {NODE_PUZZLES} puzzles: {comparison}")
    check(comparison, "float32", bundle)
