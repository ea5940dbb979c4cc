from __future__ import annotations

from dataclasses import replace

import pytest

from tests.report.samples import refinement
from trm_edge.report.player import render_player


@pytest.mark.parametrize(
    ("task", "cells", "columns"),
    [("sudoku", 81, 9), ("maze", 169, 13), ("tokens", 9, 3), ("arc", 900, 30)],
)
def test_a_board_has_a_cell_for_each_token(task: str, cells: int, columns: int) -> None:
    player = render_player(refinement(task), 3)
    html = player.markup.html
    board = html.partition('class="board')[2].partition("</div>")[0]
    assert board.count("<span") == cells
    assert f"--columns: {columns}" in board
    assert 'id="refinement-3"' in html
    assert len(player.data["steps"]) == len(player.data["changed"]) == 4


@pytest.mark.parametrize(
    ("halted", "right", "caption"),
    [
        (True, True, "It halts after 4 steps; its answer is correct."),
        (False, False, "It reaches the step limit after 4 steps; its answer is wrong."),
        (True, None, "its answer is not judged."),
    ],
)
def test_the_caption_tells_the_outcome(halted: bool, right: bool | None, caption: str) -> None:
    recorded = replace(refinement("tokens"), halted=halted, right=right)
    assert caption in render_player(recorded, 0).markup.html
