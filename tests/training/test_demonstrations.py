from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from tests.training.toys import toy_tasks
from trm_edge.arc.augmentation import Augmentation
from trm_edge.arc.crop import crop
from trm_edge.arc.encoding import PADDING
from trm_edge.arc.grids import SIDE
from trm_edge.tasks.dataset import IGNORED
from trm_edge.training.demonstrations import Demonstrations, smallest_window
from trm_edge.training.numbered_variants import draw_numbered_variants


@pytest.mark.parametrize("window", [5, SIDE])
def test_demonstrations_of_all_tasks_under_the_variant_of_their_row(window: int) -> None:
    tasks = draw_numbered_variants(toy_tasks(), 5, seed=0)
    stream = Demonstrations(tasks, window)(np.random.default_rng(0))
    places = set()
    for tokens, labels, rows in islice(stream, 60):
        assert tokens.shape == labels.shape == (3, window * window)  # two tasks, three pairs
        seen = []
        for question, answer, row in zip(tokens, labels, rows, strict=True):
            number = 0 if row in tasks[0].rows else 1
            variants = tasks[number].variants
            place = int(row - tasks[number].rows[0])
            digits = "".join(map(str, variants.colours[place]))
            augmentation = Augmentation(int(variants.transforms[place]), digits)
            first = np.flatnonzero(question.reshape(window, window))[0]
            places.add((number, first))
            pairs = []
            for pair in variants.task.demonstrations:
                pairs.append((pair.input.tolist(), pair.answer().tolist()))
            found = (
                augmentation.invert(grid_of(question, window)).tolist(),
                augmentation.invert(grid_of(answer, window)).tolist(),
            )
            assert found in pairs
            seen.append((number, pairs.index(found)))
        assert sorted(seen) == [(0, 0), (0, 1), (1, 0)]
    assert len(places) > 10  # they are moved


def grid_of(tokens: np.ndarray, window: int) -> np.ndarray:
    """The grid of a canvas that it was moved on."""
    cells = tokens.reshape(window, window)
    rows, columns = np.nonzero(cells >= 2)
    corner = np.zeros((SIDE, SIDE), np.uint8)
    part = cells[rows.min() :, columns.min() :]
    corner[: part.shape[0], : part.shape[1]] = part
    return crop(corner.reshape(-1))


def test_the_same_seed_gives_the_same_order() -> None:
    tasks = draw_numbered_variants(toy_tasks(), 5, seed=0)
    stream = Demonstrations(tasks, 4)(np.random.default_rng(3))
    again = Demonstrations(tasks, 4)(np.random.default_rng(3))
    for first, second in islice(zip(stream, again, strict=True), 4):
        assert all((a == b).all() for a, b in zip(first, second, strict=True))


def test_cells_outside_an_answer_do_not_count() -> None:
    assert PADDING == IGNORED


def test_the_smallest_window_holds_every_grid_and_its_markers() -> None:
    assert smallest_window(toy_tasks()) == 4  # 1 x 3 cells and a column of markers
