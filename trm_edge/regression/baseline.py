"""What a bundle was when it was good: ``trm-edge.baseline/1``, a JSON file to be committed.

Answers are kept puzzle by puzzle, so that a later run is compared in pairs; latency is kept as
seconds beside those of reference workloads, once for every kind of machine that was measured.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge import records
from trm_edge.errors import BundleError
from trm_edge.evaluation.carry import cosine_similarity
from trm_edge.evaluation.machine import Machine
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.files import write_text
from trm_edge.puzzle import unknown_label

FORMAT = "trm-edge.baseline/1"
STEP_GRAPH, ENGINE = "step graph", "engine"  # whose sizes are kept
# Seconds of a step and of each reference workload, by name: the quickest call of each repeat, (n,).
Times = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Answers:
    """What an engine answered to n puzzles of known digest."""

    puzzles: str  # sha256 of tokens and identifiers
    labels: str  # sha256 of the known answers
    right_fixed: NDArray[np.bool_]  # (n,) after the last step
    right_adaptive: NDArray[np.bool_]  # (n,) where the rule stops
    steps: NDArray[np.int32]  # (n,) at which it stops
    error: NDArray[np.float64]  # (m,): 1 - cosine to float32's carry, after the first step

    def __len__(self) -> int:
        return len(self.steps)

    @classmethod
    def of(cls, reference: ParityVectors, candidate: ParityVectors) -> Answers:
        """``candidate`` on the puzzles of ``reference``; where no answer is known its counts."""
        fixed, adaptive = (reference.answers(adaptive=mode) for mode in (False, True))
        known = reference.labels
        if not reference.labelled:
            unknown = (known == unknown_label(known.dtype)).any(1, keepdims=True)
            fixed, adaptive = (np.where(unknown, own, known) for own in (fixed, adaptive))
        else:
            fixed = adaptive = known
        return cls(
            puzzles=_digest(reference.tokens, reference.identifiers),
            labels=_digest(known),
            right_fixed=(candidate.answers(adaptive=False) == fixed).all(1),
            right_adaptive=(candidate.answers(adaptive=True) == adaptive).all(1),
            steps=candidate.halting_steps,
            error=_first_error(reference, candidate),
        )


@dataclass(frozen=True)
class Speed:
    """What was measured on one kind of machine."""

    machine: Machine
    times: Mapping[str, Times]  # by slots
    memory: float  # bytes at the peak beyond what imports take
    startup: float  # CPU time to the first answer over that of imports alone


@dataclass(frozen=True)
class Measurement:
    """A bundle's target as it is now, or was."""

    target: str
    precision: str
    step_sha256: str  # of the step graph
    float32_sha256: str | None  # of the float32 graph that is a reference workload
    answers: Answers
    sizes: Mapping[str, int]  # bytes, by STEP_GRAPH and ENGINE
    float_layers: tuple[str, ...]
    engine_layers: Mapping[str, str]  # of an engine: layer to the narrowest type of its inputs
    speeds: tuple[Speed, ...]
    provenance: Mapping[str, str] = field(default_factory=dict)

    def speed_of(self, machine: Machine) -> Speed | None:
        """What was measured on a machine of that kind."""
        return next((one for one in self.speeds if one.machine.same_kind(machine)), None)

    def with_speed(self, speed: Speed) -> Measurement:
        """The same, measured on one machine more."""
        return replace(self, speeds=(speed, *self.speeds))

    def with_speeds_of(self, older: Measurement) -> Measurement:
        """Keep what an older baseline knows of other machines, if a step takes the same work.

        It does if the graph has as many bytes and the same layers in float: one that is calibrated
        on another CPU may differ in the last bits of its weights.
        """
        if (older.sizes[STEP_GRAPH], older.float_layers) != (
            self.sizes[STEP_GRAPH],
            self.float_layers,
        ):
            return self
        kept = [
            one
            for one in older.speeds
            if all(not one.machine.same_kind(s.machine) for s in self.speeds)
        ]
        return replace(self, speeds=(*self.speeds, *kept))

    def write(self, path: Path) -> None:
        """Whole or not at all."""
        content = {
            "format": FORMAT,
            **{
                name: getattr(self, name)
                for name in ("target", "precision", "step_sha256", "float32_sha256")
            },
            "provenance": dict(self.provenance),
            "sizes": dict(self.sizes),
            "float_layers": list(self.float_layers),
            "engine_layers": dict(self.engine_layers),
            "answers": {
                "count": len(self.answers),
                "puzzles": self.answers.puzzles,
                "labels": self.answers.labels,
                "right_fixed": _packed(self.answers.right_fixed),
                "right_adaptive": _packed(self.answers.right_adaptive),
                "steps": _text(self.answers.steps.astype(np.uint8)),
                "error": [float(f"{value:.4g}") for value in self.answers.error],
            },
            "speeds": [
                {
                    "machine": asdict(one.machine),
                    "memory": one.memory,
                    "startup": one.startup,
                    "times": {
                        slots: {
                            name: [float(f"{value:.5g}") for value in values]
                            for name, values in by.items()
                        }
                        for slots, by in one.times.items()
                    },
                }
                for one in self.speeds
            ],
        }
        write_text(path, json.dumps(content, indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Measurement:
        """
        Raises:
            BundleError: not there, no baseline, or of another version.
        """
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise BundleError(
                f"there is no baseline at {path}. Write one with: trm-edge regress BUNDLE "
                f"--baseline {path} --update"
            ) from error
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise BundleError(f"{path} cannot be read as a baseline: {error}.") from error
        found = raw.get("format") if isinstance(raw, dict) else None
        if found != FORMAT:
            raise BundleError(
                f"{path} is no baseline of this version: its format is {found!r}, expected "
                f"{FORMAT!r}. Write it again with --update."
            )
        try:
            return _measurement(raw)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BundleError(
                f"{path} is damaged ({error!r}). Restore it, or write it again with --update."
            ) from error


def _measurement(raw: dict[str, Any]) -> Measurement:
    answers = raw["answers"]
    count = int(answers["count"])
    steps = np.frombuffer(base64.b64decode(answers["steps"]), np.uint8).astype(np.int32)
    if len(steps) != count:
        raise ValueError(f"{len(steps)} halting steps of {count} puzzles")
    return Measurement(
        target=str(raw["target"]),
        precision=str(raw["precision"]),
        step_sha256=str(raw["step_sha256"]),
        float32_sha256=raw["float32_sha256"],
        answers=Answers(
            puzzles=str(answers["puzzles"]),
            labels=str(answers["labels"]),
            right_fixed=_unpacked(answers["right_fixed"], count),
            right_adaptive=_unpacked(answers["right_adaptive"], count),
            steps=steps,
            error=np.array(answers["error"], np.float64),
        ),
        sizes={str(name): int(size) for name, size in raw["sizes"].items()},
        float_layers=tuple(raw["float_layers"]),
        engine_layers=dict(raw["engine_layers"]),
        speeds=tuple(
            Speed(
                machine=records.build(Machine, one["machine"]),
                times={
                    slots: {name: np.array(values, np.float64) for name, values in by.items()}
                    for slots, by in one["times"].items()
                },
                memory=float(one["memory"]),
                startup=float(one["startup"]),
            )
            for one in raw["speeds"]
        ),
        provenance=dict(raw["provenance"]),
    )


def _first_error(reference: ParityVectors, candidate: ParityVectors) -> NDArray[np.float64]:
    """1 - cosine after the first step, both states together, by puzzle."""
    z_H = cosine_similarity(reference.z_H[:, 0], candidate.z_H[:, 0])
    z_L = cosine_similarity(reference.z_L[:, 0], candidate.z_L[:, 0])
    return np.maximum(1 - (z_H + z_L) / 2, 0.0)


def _digest(*arrays: NDArray[Any]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(str((array.shape, array.dtype.str)).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _text(values: NDArray[np.uint8]) -> str:
    return base64.b64encode(values.tobytes()).decode()


def _packed(values: NDArray[np.bool_]) -> str:
    return _text(np.packbits(values))


def _unpacked(text: str, count: int) -> NDArray[np.bool_]:
    bits = np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8))
    if len(bits) < count:
        raise ValueError(f"{len(bits)} answers of {count} puzzles")
    return bits[:count].astype(np.bool_)
