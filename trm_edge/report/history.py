"""Baselines over time: a file written by ``trm-edge regress --update``, and its versions in git."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from trm_edge.errors import RecordError
from trm_edge.files import read_bytes
from trm_edge.records import MAX_BYTES, Format
from trm_edge.regression.baseline import Measurement
from trm_edge.regression.baseline_record import FORMAT
from trm_edge.regression.speed import STEP
from trm_edge.report.versions import committed_versions

# Lines of a chart by name: a value for each version, None where a version does not have one.
Series = Mapping[str, Sequence[float | None]]


@dataclass(frozen=True)
class History:
    """The versions of a baseline.

    Args:
        path: the file.
        versions: the baselines, the oldest first.
        notes: sentences about versions that were left out.
    """

    path: str
    versions: tuple[Measurement, ...]
    notes: tuple[str, ...]


def read_history(path: Path) -> History:
    """Read a baseline as it is and, if git tracks it, as it was in earlier commits.

    Versions of another format are left out with a note. Without git, a repository or a commit of
    the file, there is one version.

    Args:
        path: the file.

    Raises:
        RecordError: the file is missing, not a baseline, or damaged.
    """
    notes = []
    content = _read(path)
    versions: dict[str, Measurement] = {}  # by content: the last commit often equals the file
    if _has_other_version(content):
        notes.append(f"{path} was written by another version of trm-edge and is left out.")
    else:
        baseline = Measurement.read(path)
        versions[content.decode("utf-8")] = _check_dated(baseline, str(path))
    for commit, text in committed_versions(path):
        if text in versions:
            continue
        name = f"{path} of commit {commit[:10]}"
        try:
            versions[text] = _check_dated(Measurement.decode(text, name), name)
        except RecordError as error:
            notes.append(f"{name} is left out: {error}")
    ordered = sorted(versions.values(), key=created_at)
    return History(str(path), tuple(ordered), tuple(notes))


def created_at(version: Measurement) -> str:
    """Return the date and time at which a baseline was made, in ISO 8601.

    Args:
        version: the baseline.
    """
    return version.provenance["made"]


def exact_series(versions: Sequence[Measurement]) -> Series:
    """Collect the exact match of both halting modes, in percent.

    There is none of versions whose puzzles have no known answers.

    Args:
        versions: the baselines, the oldest first.
    """
    fixed: list[float | None] = []
    adaptive: list[float | None] = []
    for version in versions:
        answers = version.answers
        is_measured = answers.labelled
        fixed.append(100 * float(answers.right_fixed.mean()) if is_measured else None)
        adaptive.append(100 * float(answers.right_adaptive.mean()) if is_measured else None)
    return {"fixed": fixed, "adaptive": adaptive}


def latency_series(versions: Sequence[Measurement]) -> Series:
    """Collect the time of a step relative to each reference workload, by number of slots.

    Milliseconds where no reference workload was timed beside the step. With several CPUs there is
    a line for each of them.

    Args:
        versions: the baselines, the oldest first.
    """
    series: dict[str, list[float | None]] = {}
    cpus = set()
    for version in versions:
        cpus |= {speed.machine.cpu for speed in version.speeds}
    for index, version in enumerate(versions):
        for speed in version.speeds:
            suffix = f", {speed.machine.cpu}" if len(cpus) > 1 else ""
            for slots, times in speed.times.items():
                plural = "" if slots == "1" else "s"
                for unit, value in _step_times(times):
                    name = f"{slots} slot{plural}, {unit}{suffix}"
                    line = series.setdefault(name, [None] * len(versions))
                    line[index] = value
    return series


def _step_times(times: Mapping[str, NDArray[np.float64]]) -> Iterator[tuple[str, float]]:
    step = times[STEP]
    if len(times) == 1:
        yield "ms", 1e3 * float(np.median(step))
    for name, workload in times.items():
        if name != STEP:
            yield f"relative to {name}", float(np.median(step / workload))


def size_series(versions: Sequence[Measurement]) -> Series:
    """Collect the size of the step graph, and of the engine where there is one, in kB.

    Args:
        versions: the baselines, the oldest first.
    """
    series: dict[str, list[float | None]] = {}
    for index, version in enumerate(versions):
        for name, size in version.sizes.items():
            line = series.setdefault(name, [None] * len(versions))
            line[index] = size / 1e3
    return series


def _read(path: Path) -> bytes:
    """The file's content; empty where it cannot be read, which reading the baseline explains."""
    try:
        return read_bytes(path, MAX_BYTES)
    except OSError:
        return b""


def _has_other_version(content: bytes) -> bool:
    """Check for a baseline in a version of the format that cannot be read here."""
    try:
        raw = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return False
    if not isinstance(raw, dict):
        return False
    actual = Format.parse(raw.get("format"))
    if actual is None or actual.family != FORMAT.family:
        return False
    return not 1 <= actual.version <= FORMAT.version


def _check_dated(baseline: Measurement, name: str) -> Measurement:
    if "made" not in baseline.provenance:
        raise RecordError(
            f"{name} has no date: provenance.made is missing. Write it again with --update."
        )
    return baseline
