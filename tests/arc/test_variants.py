"""Variants of a task are distinct and drawn as the published builder draws them."""

from __future__ import annotations

import numpy as np

from tests.arc.tasks import PAIR, TASK
from trm_edge.arc.augmentation import IDENTITY, parse_name
from trm_edge.arc.task import parse_task
from trm_edge.arc.variants import draw_variants


def test_variants_are_distinct_and_the_original_is_first() -> None:
    task = parse_task("a", TASK)
    variants = draw_variants(task, 50, np.random.RandomState(0))
    names = [parse_name(name) for name in variants.names()]
    assert len(variants) == len(names) == 51
    assert names[0] == ("a", IDENTITY)
    images = set()
    for _, augmentation in names:
        images.add(str([augmentation.apply(pair.input).tolist() for pair in task.demonstrations]))
    assert len(images) > 40  # of 51 sets of pairs, in which the test pair is another part


def test_a_task_with_few_images_has_few_variants() -> None:
    black = parse_task("a", {"train": [{"input": [[0]], "output": [[0]]}], "test": [PAIR]})
    variants = draw_variants(black, 1000, np.random.RandomState(0))
    # One cell of colour 1 and one of colour 2: 9 * 8 sets of pairs, the original's among them.
    assert len(variants) == 72


def test_the_order_of_pairs_does_not_make_a_variant() -> None:
    """Swapping colours 1 and 2 swaps the two demonstrations."""
    pairs = [{"input": [[1]], "output": [[1]]}, {"input": [[2]], "output": [[2]]}]
    task = parse_task("a", {"train": pairs, "test": [{"input": [[0]], "output": [[0]]}]})
    assert len(draw_variants(task, 1000, np.random.RandomState(0))) == 36  # pairs out of 9 colours
