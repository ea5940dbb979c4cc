"""``floor.json`` of a bundle: what float arithmetic alone does to the float32 model's answers.

A recursive model repeats its rounding error hundreds of times, so the answers to some puzzles and
the step at which some halt hang on the last bits. The export solves the first held-out puzzles
twice more in float32: with another number of slots, and with carries rounded to bfloat16 after
every step. What changes there is no loss of quantization.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.bfloat16_carry import Bfloat16CarryBackend
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.config import ModelConfig
from trm_edge.errors import BundleError, ConfigError
from trm_edge.evaluation.carry import carry_parity
from trm_edge.evaluation.recording import record_vectors
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.progress import Track, silent
from trm_edge.puzzle_table import PuzzleTable
from trm_edge.records import Format, RecordKind

FORMAT = Format("trm-edge.floor", 1)
KIND = RecordKind(FORMAT, "a numerics floor", BundleError, "Export the bundle again.")

FLOOR_PUZZLES = 128  # each costs two float32 runs more
# Slots of one run of the graph, on one thread. The float32 answers of a bundle are recorded with
# 32, which the backend shares among threads in even parts: an odd number is none of them.
OTHER_BATCH = 7

ChangeName = Literal["other_batch", "bfloat16_carry"]


@dataclass(frozen=True)
class FloatChange:
    """Puzzles whose float32 answers one change of float arithmetic alters, by index from 0.

    Args:
        change: ``other_batch``: another number of slots; ``bfloat16_carry``: carries rounded to
            bfloat16 after every step.
        lost_fixed: puzzles that are solved after the last step without the change only.
        gained_fixed: puzzles that are solved after the last step with the change only.
        lost_adaptive: as ``lost_fixed``, at the halting step.
        gained_adaptive: as ``gained_fixed``, at the halting step.
        other_step: puzzles that halt at another step.
        carry_cosine: mean cosine between the carries after the last step, -1..1.

    Raises:
        ConfigError: the indices are not ascending from 0, or the cosine is out of range.
    """

    change: ChangeName
    lost_fixed: tuple[int, ...]
    gained_fixed: tuple[int, ...]
    lost_adaptive: tuple[int, ...]
    gained_adaptive: tuple[int, ...]
    other_step: tuple[int, ...]
    carry_cosine: float

    def __post_init__(self) -> None:
        for indices in self.puzzle_lists:
            ascending = all(left < right for left, right in pairwise((-1, *indices)))
            if not ascending:
                raise ConfigError(f"puzzles must be indices in ascending order, but are {indices}")
        if not -1.001 <= self.carry_cosine <= 1.001:
            raise ConfigError(f"carry_cosine must lie in -1..1, but is {self.carry_cosine:g}")

    @property
    def puzzle_lists(self) -> tuple[tuple[int, ...], ...]:
        """All lists of puzzles."""
        return (
            self.lost_fixed,
            self.gained_fixed,
            self.lost_adaptive,
            self.gained_adaptive,
            self.other_step,
        )


@dataclass(frozen=True)
class NumericsFloor:
    """What float arithmetic alone changes in a bundle's float32 answers.

    Args:
        puzzles: number of puzzles measured on, the first held-out ones.
        batch: slots of the run with another number of slots.
        changes: one entry for each change of float arithmetic.

    Raises:
        ConfigError: there are no puzzles or no changes, or an index is out of range.
    """

    puzzles: int
    batch: int
    changes: tuple[FloatChange, ...]

    def __post_init__(self) -> None:
        if self.puzzles < 1 or self.batch < 1 or not self.changes:
            raise ConfigError(
                f"a floor is of 1 puzzle, 1 slot and 1 change or more, but this is of "
                f"{self.puzzles}, {self.batch} and {len(self.changes)}"
            )
        for change in self.changes:
            for indices in change.puzzle_lists:
                if indices and indices[-1] >= self.puzzles:
                    raise ConfigError(
                        f"puzzles must be indices below {self.puzzles}, but hold {indices[-1]}"
                    )


def measure_floor(
    graph: Path,
    config: ModelConfig,
    puzzle_embeddings: PuzzleTable | None,
    reference: ParityVectors,
    *,
    track: Track = silent,
) -> NumericsFloor:
    """Solve the first held-out puzzles twice more in float32.

    Args:
        graph: file of the float32 step graph.
        config: the model.
        puzzle_embeddings: table (N, E); None where the model has none.
        reference: the float32 answers to the held-out puzzles, recorded with 32 slots.
        track: reports the puzzles.

    Raises:
        BackendError: ONNX Runtime failed.
    """
    first = reference.first(FLOOR_PUZZLES)
    puzzles = first.puzzles()
    carries = len(first.carry_positions)
    other_batch = record_vectors(
        OnnxRuntimeBackend(graph, config, threads=1),
        puzzle_embeddings,
        puzzles,
        first.labels,
        batch=OTHER_BATCH,
        carry_puzzles=carries,
        track=track,
        description="numerics floor: other batch",
    )
    bfloat16 = record_vectors(
        Bfloat16CarryBackend(graph, config),
        puzzle_embeddings,
        puzzles,
        first.labels,
        carry_puzzles=carries,
        track=track,
        description="numerics floor: bfloat16 carries",
    )
    changes = (
        float_change("other_batch", first, other_batch),
        float_change("bfloat16_carry", first, bfloat16),
    )
    return NumericsFloor(len(first), OTHER_BATCH, changes)


def float_change(
    change: ChangeName, reference: ParityVectors, candidate: ParityVectors
) -> FloatChange:
    """List the puzzles at which a float32 run differs from the recorded one.

    Args:
        change: name of the change.
        reference: the float32 answers. They count as right where not every answer is known.
        candidate: the answers with the change, to the same puzzles.
    """
    cosine = carry_parity(reference, candidate).by_step[-1]
    return FloatChange(change, **differing_puzzles(reference, candidate), carry_cosine=cosine)


def differing_puzzles(
    reference: ParityVectors, candidate: ParityVectors
) -> dict[str, tuple[int, ...]]:
    """List the puzzles that two runs answer differently, by index.

    Args:
        reference: the float32 answers. They count as right where not every answer is known.
        candidate: the other answers to the same puzzles.

    Returns:
        ``lost_fixed``, ``gained_fixed``, ``lost_adaptive``, ``gained_adaptive`` and ``other_step``,
        as in :class:`FloatChange`.
    """
    lost_fixed, gained_fixed = _flips(reference, candidate, adaptive=False)
    lost_adaptive, gained_adaptive = _flips(reference, candidate, adaptive=True)
    return {
        "lost_fixed": lost_fixed,
        "gained_fixed": gained_fixed,
        "lost_adaptive": lost_adaptive,
        "gained_adaptive": gained_adaptive,
        "other_step": _indices(reference.halting_steps != candidate.halting_steps),
    }


def _flips(
    reference: ParityVectors, candidate: ParityVectors, *, adaptive: bool
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    truth = reference.right_answers(adaptive=adaptive)
    right_before = (reference.answers(adaptive=adaptive) == truth).all(1)
    right_now = (candidate.answers(adaptive=adaptive) == truth).all(1)
    return _indices(right_before & ~right_now), _indices(right_now & ~right_before)


def _indices(flags: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(np.flatnonzero(flags).tolist())
