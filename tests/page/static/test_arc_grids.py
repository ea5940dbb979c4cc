"""Grids on the page are encoded, cropped and refused as by the Python code."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.page.node import run_script
from trm_edge.arc.crop import crop
from trm_edge.arc.encoding import encode
from trm_edge.arc.grids import GridError, parse_grid

ENCODE = """
const { encode } = await load("arc-grids.js");
return data.map(encode);
"""
CROP = """
const { crop } = await load("arc-grids.js");
return data.map(crop);
"""
PARSE = """
const { parseGrid } = await load("arc-grids.js");
return data.map((text) => {
  try { return parseGrid(text); } catch (error) { return error.message; }
});
"""
RESIZE = """
const { resized } = await load("arc-grids.js");
return data.map(([grid, rows, columns]) => resized(grid, rows, columns));
"""


def grids() -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    shapes = [(1, 1), (30, 30), (30, 1), (1, 30), (29, 30), (30, 29), (3, 3)]
    shapes += [(int(rows), int(columns)) for rows, columns in rng.integers(1, 31, (10, 2))]
    return [rng.integers(0, 10, shape).astype(np.uint8) for shape in shapes]


def test_grids_are_encoded_as_by_the_runner() -> None:
    expected = [encode(grid).tolist() for grid in grids()]
    assert run_script(ENCODE, [grid.tolist() for grid in grids()]) == expected


def answers() -> list[NDArray[np.uint8]]:
    """Whole grids, and what a model may write: holes, ragged blocks, foreign and no colours."""
    rng = np.random.default_rng(1)
    canvases = [encode(grid) for grid in grids()]
    for grid in grids():
        canvas = encode(grid)
        canvas[rng.integers(0, 900, 3)] = rng.integers(0, 14, 3)
        canvases.append(canvas)
    for share in (0.01, 0.05, 0.2):
        for _ in range(10):
            canvas = rng.integers(2, 12, 900).astype(np.uint8)
            canvas[rng.random(900) < share] = rng.integers(0, 2)
            canvases.append(canvas)
    canvases.append(np.zeros(900, np.uint8))
    return canvases


def test_answers_are_cropped_as_by_the_published_rule() -> None:
    expected = []
    for canvas in answers():
        grid = crop(canvas)
        expected.append(grid.tolist() if grid.size else [])
    assert run_script(CROP, [canvas.tolist() for canvas in answers()]) == expected
    assert len({(len(grid), len(grid[0])) if grid else (0, 0) for grid in expected}) > 20


@pytest.mark.parametrize(
    "text",
    [
        "[[0,1],[2,3]]",
        " [ [0, 1],\n [2, 3] ]\n",
        "01\n23",
        "0 1\n2 3\n",
        "\r\n0,1\r\n2,3\r\n",
    ],
)
def test_texts_are_read(text: str) -> None:
    assert run_script(PARSE, [text]) == [[[0, 1], [2, 3]]]


def test_what_is_no_grid_is_refused_for_the_reasons_of_the_runner() -> None:
    values: list[Any] = [
        [],
        True,
        [[0]] * 31,
        [[0], []],
        [[0], 5],
        [[0] * 31],
        [[0, 1], [2]],
        [[0, 10]],
        [[0, -1]],
        [[0, 1.5]],
        [[0, "1"]],
        [[0, None]],
    ]
    results = run_script(PARSE, [json.dumps(value) for value in values])
    for value, result in zip(values, results, strict=True):
        with pytest.raises(GridError) as error:
            parse_grid(value)
        expected = (
            str(error.value).replace("it must", "A grid must").replace("it has", "The grid has")
        )
        assert result == f"{expected[0].upper()}{expected[1:]}.", value


def test_other_texts_are_refused_with_a_reason() -> None:
    task = json.dumps({"train": [], "test": [{"input": [[1]]}]})
    empty, words, whole_task, ragged = run_script(PARSE, ["", "a grid", task, "01\n2"])
    assert empty == words == "Expected a grid: [[0, 1], [2, 3]] as JSON, or lines of digits."
    assert "This is no grid, but a task." in whole_task
    assert "--tasks" in whole_task
    assert ragged == "Row 2 has 1 cells, but row 1 has 2."


def test_a_size_is_changed() -> None:
    grid = [[1, 2], [3, 4]]
    results = run_script(RESIZE, [[grid, 1, 3], [grid, 3, 1], [[], 1, 2]])
    assert results == [[[1, 2, 0]], [[1], [3], [0]], [[0, 0]]]
