"""Baselines over time: a file that ``trm-edge regress --update`` wrote, and git's older ones."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trm_edge.errors import BundleError
from trm_edge.regression.baseline import FORMAT, Measurement
from trm_edge.regression.speed import STEP

# A line of a chart by its name: one value a version, None where that version has none.
Series = Mapping[str, Sequence[float | None]]
VERSIONS = 50  # of a file that are read from git
_SECONDS = 60  # that git may take


@dataclass(frozen=True)
class History:
    """A baseline's versions, the oldest first, and what was left out."""

    path: str
    versions: tuple[Measurement, ...]
    notes: tuple[str, ...]


def read_history(path: Path) -> History:
    """The file as it is, and, where git tracks it, as it was.

    Versions of another format are left out with a note. Where there is no git, no repository or
    no commit of the file, there is one version.

    Raises:
        BundleError: the file is not there, is no baseline, or is damaged.
    """
    notes = []
    versions: dict[str, Measurement] = {}  # by content: the newest commit has the file as it is
    if _is_older(path):
        notes.append(f"{path} is a baseline of another version of trm-edge and is left out.")
    else:
        versions[path.read_text(encoding="utf-8")] = _dated(Measurement.read(path), str(path))
    for commit, text in _committed(path):
        where = f"{path} of commit {commit[:10]}"
        if text in versions:
            continue
        try:
            versions[text] = _dated(_parsed(text, where), where)
        except BundleError as error:
            notes.append(f"{where} is left out: {error}")
    found = sorted(versions.values(), key=lambda one: one.provenance["made"])
    return History(str(path), tuple(found), tuple(notes))


def exact_series(versions: Sequence[Measurement]) -> Series:
    """Exact match in both halting modes, in percent."""
    return {
        mode: [100 * float(getattr(one.answers, f"right_{mode}").mean()) for one in versions]
        for mode in ("fixed", "adaptive")
    }


def latency_series(versions: Sequence[Measurement]) -> Series:
    """A step's time over each reference workload's, by slots; by machine where there are several.

    Milliseconds where nothing stood beside the step.
    """
    series: dict[str, list[float | None]] = {}
    cpus = {speed.machine.cpu for one in versions for speed in one.speeds}
    for place, one in enumerate(versions):
        for speed in one.speeds:
            where = f", {speed.machine.cpu}" if len(cpus) > 1 else ""
            for slots, times in speed.times.items():
                name = f"{slots} slot{'' if slots == '1' else 's'}"
                for unit, value in _step_times(times):
                    line = series.setdefault(f"{name}, {unit}{where}", [None] * len(versions))
                    line[place] = value
    return series


def _step_times(times: Mapping[str, NDArray[np.float64]]) -> Iterator[tuple[str, float]]:
    step = times[STEP]
    if len(times) == 1:
        yield "ms", 1e3 * float(np.median(step))
    for name, reference_workload in times.items():
        if name != STEP:
            yield f"by the {name}", float(np.median(step / reference_workload))


def size_series(versions: Sequence[Measurement]) -> Series:
    """Of the step graph, and of the engine where there is one, in kB."""
    names = dict.fromkeys(name for one in versions for name in one.sizes)
    return {
        name: [one.sizes[name] / 1e3 if name in one.sizes else None for one in versions]
        for name in names
    }


def _is_older(path: Path) -> bool:
    """Whether it is a baseline, of a format that this version does not read."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    found = raw.get("format") if isinstance(raw, dict) else None
    family = FORMAT.partition("/")[0]
    return isinstance(found, str) and found != FORMAT and found.partition("/")[0] == family


def _dated(measured: Measurement, where: str) -> Measurement:
    if "made" not in measured.provenance:
        raise BundleError(f"{where} does not say when it was made. Write it again with --update.")
    return measured


def _parsed(text: str, where: str) -> Measurement:
    """A version that is in no file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "baseline.json"
        path.write_text(text, encoding="utf-8")
        try:
            return Measurement.read(path)
        except BundleError as error:
            raise BundleError(str(error).replace(str(path), where)) from error


def _committed(path: Path) -> Iterator[tuple[str, str]]:
    """Commits that changed the file, the newest first, and its text in each."""
    listed = _git(path.parent, "log", "--format=%H", f"--max-count={VERSIONS}", "--", path.name)
    for commit in listed.split():
        text = _git(path.parent, "show", f"{commit}:./{path.name}")
        if text:  # a commit that removed the file has none
            yield commit, text


def _git(folder: Path, *arguments: str) -> str:
    """What git says, and nothing where it fails or is not there."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, check=False, timeout=_SECONDS
        )
        return done.stdout.decode("utf-8") if done.returncode == 0 else ""
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
