"""Puzzles, and token ids in a type that fits the vocabulary."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from trm_edge.backends.fake import FAKE_CONFIG, FakeBackend
from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError, PuzzleError
from trm_edge.evaluation.recording import record_vectors
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.loop.exploration import Exploration
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.rollouts import Rollouts
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle, check_puzzle, token_dtype, unknown_label
from trm_edge.tasks import task_for
from trm_edge.tasks.augmentation import Augmentation

VOCABULARIES = (256, 1000, 70_000)


def config_of(vocab_size: int) -> ModelConfig:
    return replace(FAKE_CONFIG, seq_len=4, vocab_size=vocab_size)


def puzzles_of(vocab_size: int) -> list[Puzzle]:
    """The highest ids, and 300 where there is one: in a byte it would be 44."""
    tokens = [min(300, vocab_size - 2), vocab_size - 1, 0, 255]
    return [Puzzle(np.roll(np.array(tokens, np.int32), shift)) for shift in range(4)]


@pytest.mark.parametrize(
    ("vocab_size", "name", "unknown"),
    [
        (2, "uint8", 255),
        (255, "uint8", 255),
        (256, "uint16", 65_535),
        (65_535, "uint16", 65_535),
        (65_536, "uint32", 4_294_967_295),
        (2**31 - 1, "uint32", 4_294_967_295),
    ],
)
def test_the_type_holds_every_id_and_an_unknown_label(
    vocab_size: int, name: str, unknown: int
) -> None:
    dtype = token_dtype(vocab_size)
    assert dtype == name
    assert unknown_label(dtype) == unknown
    assert vocab_size - 1 < unknown


@pytest.mark.parametrize("vocab_size", VOCABULARIES)
def test_large_ids_come_through_the_loop(vocab_size: int) -> None:
    puzzles = puzzles_of(vocab_size)
    halting = HaltingRule.from_config(config_of(vocab_size), unchanged=3)
    backend = FakeBackend(config_of(vocab_size))
    with Solver(backend, batch=3, trace=True, halting=halting) as solver:
        solutions = list(solver.solve(puzzles, ordered=True))
    for puzzle, solution in zip(puzzles, solutions, strict=True):
        np.testing.assert_array_equal(solution.answer, puzzle.tokens)
        assert solution.answer.dtype == token_dtype(vocab_size)
        assert solution.trajectory is not None
        assert (solution.trajectory == puzzle.tokens).all()


@pytest.mark.parametrize("vocab_size", VOCABULARIES)
def test_large_ids_come_through_rollouts(vocab_size: int) -> None:
    puzzles = puzzles_of(vocab_size)
    shift = np.arange(4)[::-1].copy()
    augmentations = [
        Augmentation.identity(4, vocab_size),
        Augmentation(shift, np.roll(np.arange(vocab_size), 7)),
    ]
    with Solver(FakeBackend(config_of(vocab_size)), batch=2, trace=True) as solver:
        solutions = list(
            Rollouts(solver, Exploration(2, augmentations)).solve(puzzles, ordered=True)
        )
    for puzzle, solution in zip(puzzles, solutions, strict=True):
        np.testing.assert_array_equal(solution.answer, puzzle.tokens)


@pytest.mark.parametrize("vocab_size", VOCABULARIES)
def test_large_ids_come_through_parity_vectors(vocab_size: int, tmp_path: Path) -> None:
    puzzles = puzzles_of(vocab_size)
    labels = np.stack([puzzle.tokens for puzzle in puzzles]).astype(token_dtype(vocab_size))
    labels[0, 0] = unknown_label(labels.dtype)
    vectors = record_vectors(FakeBackend(config_of(vocab_size)), None, puzzles, labels)
    vectors.save(tmp_path / "parity.npz")
    content = (tmp_path / "parity.npz").read_bytes()
    restored = ParityVectors.decode(content, config_of(vocab_size), "parity.npz")
    tokens = np.stack([puzzle.tokens for puzzle in puzzles])
    np.testing.assert_array_equal(restored.answers(adaptive=False), tokens)
    np.testing.assert_array_equal(restored.answers(adaptive=True), tokens)
    np.testing.assert_array_equal(np.stack([p.tokens for p in restored.puzzles()]), tokens)
    np.testing.assert_array_equal(restored.labels, labels)


@pytest.mark.parametrize("vocab_size", VOCABULARIES)
def test_large_ids_are_read_and_written_as_text(vocab_size: int) -> None:
    task = task_for(config_of(vocab_size))
    (puzzle, *_) = puzzles_of(vocab_size)
    (entry,) = task.read_lines([task.text(puzzle.tokens)])
    np.testing.assert_array_equal(entry.puzzle.tokens, puzzle.tokens)  # type: ignore[union-attr]


def test_a_vocabulary_that_int32_does_not_hold_is_refused() -> None:
    assert replace(FAKE_CONFIG, vocab_size=2**31 - 1).vocab_size == 2**31 - 1
    with pytest.raises(ConfigError, match=r"vocab_size must be at most 2147483647 .* 2147483648"):
        replace(FAKE_CONFIG, vocab_size=2**31)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int64, np.uint64])
def test_any_integer_type_is_a_puzzle(dtype: type) -> None:
    tokens: NDArray[Any] = np.full(81, 7, dtype)
    check_puzzle(Puzzle(tokens), 0, FAKE_CONFIG)
    with Solver(FakeBackend()) as solver:
        (solution,) = solver.solve([Puzzle(tokens)])
    np.testing.assert_array_equal(solution.answer, tokens)


@pytest.mark.parametrize("dtype", [np.float32, np.bool_, object])
def test_other_types_are_refused(dtype: type) -> None:
    with pytest.raises(PuzzleError, match="puzzle 5: tokens must be integers, but got"):
        check_puzzle(Puzzle(np.ones(81, dtype)), 5, FAKE_CONFIG)


def test_a_list_is_taken_as_an_array() -> None:
    check_puzzle(Puzzle([1] * 81), 0, FAKE_CONFIG)  # type: ignore[arg-type]
