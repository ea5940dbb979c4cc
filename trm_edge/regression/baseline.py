"""Figures of a bundle that later runs are compared with.

Answers are kept puzzle by puzzle, so that a later run is compared in pairs. Latency is kept as
seconds beside those of reference workloads, once for every kind of machine that was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trm_edge import records
from trm_edge.evaluation.machine import Machine
from trm_edge.regression import baseline_record
from trm_edge.regression.answers import Answers
from trm_edge.regression.baseline_record import (
    AnswersRecord,
    BaselineRecord,
    SpeedRecord,
)

# Names of the sizes that are kept.
STEP_GRAPH = baseline_record.STEP_GRAPH
ENGINE = "engine"
# Seconds of a step and of each reference workload by name: the quickest call of each repeat, (n,).
Times = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Speed:
    """Speed and memory on one kind of machine.

    Args:
        machine: the machine.
        times: seconds by number of slots, then by name of what was timed.
        memory_bytes: peak memory of a process that solves one puzzle, beyond what imports take.
        startup_ratio: CPU time of such a process until its first answer / that of imports alone.
    """

    machine: Machine
    times: Mapping[str, Times]
    memory_bytes: float
    startup_ratio: float


@dataclass(frozen=True)
class Measurement:
    """All figures of one target of a bundle: the content of a baseline.

    Args:
        target: name of the target.
        precision: as the manifest has it.
        step_sha256: of the step graph.
        float32_sha256: of the float32 graph that is a reference workload; None without one.
        answers: to the held-out puzzles.
        sizes: bytes, by :data:`STEP_GRAPH` and :data:`ENGINE`.
        float_layers: names of the layers that were left in float.
        engine_layers: of a built engine, by layer: how many of its call sites take inputs of which
            element type. Empty without an engine.
        speeds: one entry for each kind of machine.
        provenance: when and from what it was made.
    """

    target: str
    precision: str
    step_sha256: str
    float32_sha256: str | None
    answers: Answers
    sizes: Mapping[str, int]
    float_layers: tuple[str, ...]
    engine_layers: Mapping[str, Mapping[str, int]]
    speeds: tuple[Speed, ...]
    provenance: Mapping[str, str] = field(default_factory=dict)

    def speed_of(self, machine: Machine) -> Speed | None:
        """Find the figures of a kind of machine.

        Args:
            machine: a machine of that kind.

        Returns:
            The speed, or None where no such machine was measured.
        """
        for speed in self.speeds:
            if speed.machine.same_kind(machine):
                return speed
        return None

    def with_speed(self, speed: Speed) -> Measurement:
        """Add the speed of one more machine.

        Args:
            speed: figures of that machine.
        """
        return replace(self, speeds=(speed, *self.speeds))

    def with_speeds_of(self, older: Measurement) -> Measurement:
        """Keep an older baseline's figures of other machines, if a step still does the same work.

        It does if the graph has as many bytes and the same layers in float. Its hash may differ:
        calibration on another CPU may change the last bits of the weights.

        Args:
            older: the baseline that this one replaces.
        """
        same_size = older.sizes[STEP_GRAPH] == self.sizes[STEP_GRAPH]
        if not same_size or older.float_layers != self.float_layers:
            return self
        speeds = list(self.speeds)
        for speed in older.speeds:
            if self.speed_of(speed.machine) is None:
                speeds.append(speed)
        return replace(self, speeds=tuple(speeds))

    def write(self, path: Path) -> None:
        """Write the baseline, whole or not at all.

        Args:
            path: the JSON file.
        """
        record = _to_record(self)
        records.write(path, record, baseline_record.FORMAT, indent=1)

    @classmethod
    def read(cls, path: Path) -> Measurement:
        """Read a baseline of this or an older version.

        Args:
            path: the JSON file.

        Raises:
            RecordError: missing, not a baseline, damaged, or from a newer version.
        """
        record = records.read(
            path,
            BaselineRecord,
            baseline_record.KIND,
            missing=(
                f"there is no baseline at {path}. Write one with: trm-edge regress BUNDLE "
                f"--baseline {path} --update"
            ),
            migrate=baseline_record.migrate,
        )
        return _from_record(record)

    @classmethod
    def decode(cls, text: str, source: str) -> Measurement:
        """Parse the text of a baseline.

        Args:
            text: the JSON.
            source: names the text in errors.

        Raises:
            RecordError: not a baseline, damaged, or from a newer version.
        """
        record = records.decode(
            text,
            BaselineRecord,
            baseline_record.KIND,
            source,
            migrate=baseline_record.migrate,
        )
        return _from_record(record)


def _to_record(measurement: Measurement) -> BaselineRecord:
    speeds = []
    for speed in measurement.speeds:
        speeds.append(
            SpeedRecord(
                machine=speed.machine,
                memory_bytes=speed.memory_bytes,
                startup_ratio=speed.startup_ratio,
                times_seconds=_times_to_record(speed.times),
            )
        )
    answers = measurement.answers
    return BaselineRecord(
        target=measurement.target,
        precision=measurement.precision,
        step_sha256=measurement.step_sha256,
        float32_sha256=measurement.float32_sha256,
        provenance=measurement.provenance,
        sizes_bytes=measurement.sizes,
        float_layers=measurement.float_layers,
        engine_layers=measurement.engine_layers,
        answers=AnswersRecord(
            count=len(answers),
            puzzles=answers.puzzles,
            labels=answers.labels,
            right_fixed=baseline_record.pack_bits(answers.right_fixed),
            right_adaptive=baseline_record.pack_bits(answers.right_adaptive),
            steps=baseline_record.pack_bytes(answers.steps),
            error=baseline_record.rounded(answers.error, 4),
            labelled=answers.labelled,
        ),
        speeds=tuple(speeds),
    )


def _times_to_record(
    times: Mapping[str, Times],
) -> dict[str, dict[str, tuple[float, ...]]]:
    record: dict[str, dict[str, tuple[float, ...]]] = {}
    for slots, times_by_name in times.items():
        record[slots] = {}
        for name, seconds in times_by_name.items():
            record[slots][name] = baseline_record.rounded(seconds, 5)
    return record


def _from_record(record: BaselineRecord) -> Measurement:
    speeds = []
    for speed in record.speeds:
        speeds.append(
            Speed(
                machine=speed.machine,
                times=_times_from_record(speed.times_seconds),
                memory_bytes=speed.memory_bytes,
                startup_ratio=speed.startup_ratio,
            )
        )
    answers = record.answers
    return Measurement(
        target=record.target,
        precision=record.precision,
        step_sha256=record.step_sha256,
        float32_sha256=record.float32_sha256,
        answers=Answers(
            puzzles=answers.puzzles,
            labels=answers.labels,
            right_fixed=baseline_record.unpack_bits(answers.right_fixed, answers.count),
            right_adaptive=baseline_record.unpack_bits(answers.right_adaptive, answers.count),
            steps=baseline_record.unpack_bytes(answers.steps),
            error=np.array(answers.error, np.float64),
            labelled=answers.labelled,
        ),
        sizes=record.sizes_bytes,
        float_layers=record.float_layers,
        engine_layers=record.engine_layers,
        speeds=tuple(speeds),
        provenance=record.provenance,
    )


def _times_from_record(
    times: Mapping[str, Mapping[str, tuple[float, ...]]],
) -> dict[str, Times]:
    arrays: dict[str, Times] = {}
    for slots, times_by_name in times.items():
        arrays[slots] = {
            name: np.array(seconds, np.float64) for name, seconds in times_by_name.items()
        }
    return arrays
