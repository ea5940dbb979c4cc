"""A model's answers at every step: recorded once in float32, then by the engine to be compared.

A slot's carry does not depend on the halting rule, so one fixed-length run contains the adaptive
run: its answer is the prediction of the first step at which the rule holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.arrays import ArrayError, read_npz
from trm_edge.config import ModelConfig
from trm_edge.errors import BundleError
from trm_edge.loop.halting import HaltingRule, steps_unchanged
from trm_edge.puzzle import Puzzle, Tokens, unknown_label
from trm_edge.tasks.dataset import IGNORED

# Of the arrays of parity.npz: their possible types, and the axes of those that others follow.
_TOKEN_TYPES = ("uint8", "uint16", "uint32")
_TYPES: dict[str, tuple[str, ...]] = {
    "tokens": _TOKEN_TYPES,
    "identifiers": ("int32",),
    "labels": _TOKEN_TYPES,
    "predictions": _TOKEN_TYPES,
    "q_halt": ("float32",),
    "q_continue": ("float32",),
    "halting_steps": ("int32",),
    "carry_positions": ("int32",),
}
_CARRY_TYPES = ("float16",)
_AXES = {"tokens": 2, "q_halt": 2, "carry_positions": 1}


@dataclass(frozen=True)
class ParityVectors:
    """Answers of one engine to n puzzles over T steps; the arrays of ``parity.npz``.

    In the file the carries lie beside the other arrays, each under the name of its state.

    For the first m puzzles the carry is recorded too, at one position each: every position of a
    state has the same norm, so the mean of their cosines is that of whole states.

    Args:
        tokens: puzzles, (n, L) token ids.
        identifiers: puzzle-embedding rows of the puzzles, (n,).
        labels: right answers (n, L), with :func:`~trm_edge.puzzle.unknown_label` where the answer
            is not known.
        predictions: answers after every step, (n, T, L).
        q_halt: halting logits, (n, T).
        q_continue: logits against halting, (n, T).
        halting_steps: step at which the halting rule stops, from 1, (n,).
        carry_positions: recorded positions within prefix and cells, (m,).
        carries: recorded carries by state, (m, T, D) each.

    Raises:
        BundleError: an array has the wrong shape.
    """

    tokens: Tokens
    identifiers: NDArray[np.int32]
    labels: Tokens
    predictions: Tokens
    q_halt: NDArray[np.float32]
    q_continue: NDArray[np.float32]
    halting_steps: NDArray[np.int32]
    carry_positions: NDArray[np.int32]
    carries: Mapping[str, NDArray[np.float16]]

    def __post_init__(self) -> None:
        for name, axes in _AXES.items():
            actual = getattr(self, name).ndim
            if actual != axes:
                raise BundleError(
                    f"parity vectors: {name} must have {axes} axes, but has {actual}."
                )
        count, steps = self.q_halt.shape
        length = self.tokens.shape[-1]
        expected_shapes = {
            "tokens": (count, length),
            "identifiers": (count,),
            "labels": (count, length),
            "predictions": (count, steps, length),
            "q_continue": (count, steps),
            "halting_steps": (count,),
        }
        for name, expected in expected_shapes.items():
            actual = getattr(self, name).shape
            if actual != expected:
                raise BundleError(f"parity vectors: {name} must be {expected}, but is {actual}.")
        self._check_carries(steps)

    def _check_carries(self, steps: int) -> None:
        if not self.carries:
            raise BundleError("parity vectors: there is no carry.")
        width = next(iter(self.carries.values())).shape[-1:]
        expected = (len(self.carry_positions), steps, *width)
        for name, array in self.carries.items():
            if array.shape != expected:
                raise BundleError(
                    f"parity vectors: {name} must be {expected}, but is {array.shape}."
                )

    @property
    def puzzle_set(self) -> str:
        """Name of the puzzles and their answers, equal where both are: 16 digits of a hash."""
        digest = hashlib.sha256()
        for array, dtype in (
            (self.tokens, np.int32),
            (self.identifiers, np.int32),
            (self.labels, np.int32),
        ):
            digest.update(str(array.shape).encode())
            digest.update(np.ascontiguousarray(array, dtype).tobytes())
        return digest.hexdigest()[:16]

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def labelled(self) -> bool:
        """True where every right answer is known."""
        return bool((self.labels != unknown_label(self.labels.dtype)).all())

    def answers(self, *, adaptive: bool) -> Tokens:
        """Return the answers (n, L) of one halting mode.

        Args:
            adaptive: True: at the halting step; False: after the last step.

        Returns:
            Predictions, and the label itself in cells that training leaves out, where a model may
            say anything: they are as right as they can be.
        """
        steps = np.full(len(self), -1)
        if adaptive:
            steps = self.halting_steps - 1
        predictions = self.predictions[np.arange(len(self)), steps]
        return np.where(self.labels == IGNORED, self.labels, predictions)

    def right_answers(self, *, adaptive: bool) -> Tokens:
        """Return what counts as right in a comparison with this run, (n, L).

        Args:
            adaptive: as of :meth:`answers`.

        Returns:
            The known answers, or this run's own unless all are known.
        """
        if self.labelled:
            return self.labels
        return self.answers(adaptive=adaptive)

    def first(self, count: int) -> ParityVectors:
        """Return the vectors of the first puzzles only.

        Args:
            count: number of puzzles.
        """
        arrays = {name: array[:count] for name, array in self._arrays().items()}
        carries = {name: array[:count] for name, array in self.carries.items()}
        return ParityVectors(**arrays, carries=carries)

    def puzzles(self) -> list[Puzzle]:
        """Return the puzzles, in order."""
        puzzles = []
        for tokens, identifier in zip(self.tokens, self.identifiers, strict=True):
            puzzles.append(Puzzle(tokens.astype(np.int32), int(identifier)))
        return puzzles

    def save(self, path: Path) -> None:
        """Write ``parity.npz``.

        Args:
            path: the file.
        """
        arrays: dict[str, Any] = {**self._arrays(), **self.carries}
        np.savez_compressed(path, **arrays)

    @classmethod
    def decode(cls, content: bytes, config: ModelConfig, source: str) -> ParityVectors:
        """Read ``parity.npz``, whose content is not trusted.

        Args:
            content: the file.
            config: the model that the vectors must fit.
            source: names the file in errors.

        Raises:
            BundleError: an array is missing, or its type, shape or values do not fit the model.
        """
        try:
            states = config.recursion.states
            arrays = read_npz(content, _TYPES | dict.fromkeys(states, _CARRY_TYPES))
            carries = {state: arrays.pop(state) for state in states}
            vectors = cls(**arrays, carries=carries)
            vectors.require_fit(config)
        except (ArrayError, BundleError) as error:
            reason = str(error).removesuffix(".")
            raise BundleError(
                f"{source} does not hold the float32 model's answers: {reason}. Export the bundle "
                "again."
            ) from error
        return vectors

    def require_fit(self, config: ModelConfig) -> None:
        """Refuse vectors that cannot be a model's.

        Args:
            config: the model.

        Raises:
            BundleError: names the array and what is expected of it.
        """
        count, steps = self.q_halt.shape
        sizes = [
            ("puzzles", max(count, 1), count),
            ("steps", config.halt_max_steps, steps),
            ("cells", config.seq_len, self.tokens.shape[1]),
            ("recorded carries", min(count, len(self.carry_positions)), len(self.carry_positions)),
        ]
        for name, array in self.carries.items():
            sizes.append((f"features of {name}", config.hidden_size, array.shape[2]))
        for name, expected, actual in sizes:
            if expected != actual:
                raise BundleError(f"the number of {name} must be {expected}, but is {actual}")
        vocabulary = config.vocab_size - 1
        unknown = self.labels == unknown_label(self.labels.dtype)
        ranges = [
            ("tokens", self.tokens, 0, vocabulary),
            ("labels", np.where(unknown, 0, self.labels), 0, vocabulary),
            ("predictions", self.predictions, 0, vocabulary),
            ("identifiers", self.identifiers, 0, config.num_puzzle_identifiers - 1),
            ("halting_steps", self.halting_steps, 1, steps),
            ("carry_positions", self.carry_positions, 0, config.carry_len - 1),
        ]
        for name, values, low, high in ranges:
            if values.size and not low <= values.min() <= values.max() <= high:
                raise BundleError(
                    f"{name} must lie in {low}..{high}, but holds {values.min()}..{values.max()}"
                )
        numbers: dict[str, NDArray[Any]] = {
            "q_halt": self.q_halt,
            "q_continue": self.q_continue,
            **self.carries,
        }
        for name, array in numbers.items():
            if not np.isfinite(array).all():
                raise BundleError(f"{name} holds values that are not finite numbers")

    def _arrays(self) -> dict[str, Any]:
        """The arrays besides the carries, by name."""
        return {name: getattr(self, name) for name in _TYPES}


def halting_steps(
    rule: HaltingRule,
    q_halt: NDArray[np.float32],
    q_continue: NDArray[np.float32],
    predictions: Tokens | None = None,
) -> NDArray[np.int32]:
    """Find the step at which each of n puzzles stops, from the logits of every step.

    Args:
        rule: the halting rule.
        q_halt: (n, T).
        q_continue: (n, T).
        predictions: (n, T, L), for a rule that stops at an unchanged prediction.

    Returns:
        Steps (n,) int32, counted from 1.

    Raises:
        ConfigError: the rule stops at an unchanged prediction, but there are no predictions.
    """
    steps = np.arange(1, q_halt.shape[1] + 1, dtype=np.int32)
    unchanged: NDArray[np.int32] | None = None
    if predictions is not None:
        unchanged = steps_unchanged(predictions)
    stops = rule.halted(np.broadcast_to(steps, q_halt.shape), q_halt, q_continue, unchanged)
    stops[:, -1] = True
    first_stop: NDArray[np.int32] = stops.argmax(1).astype(np.int32)
    return first_stop + 1
