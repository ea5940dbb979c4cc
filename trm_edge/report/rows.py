"""Rows of a report: a target of a bundle each, with its parity report and its timings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from trm_edge.bundle import Bundle
from trm_edge.errors import BundleError
from trm_edge.evaluation.bench import BenchRow, mark_pareto
from trm_edge.evaluation.held_out import solve_held_out
from trm_edge.evaluation.limits import LimitVerdict
from trm_edge.evaluation.parity import ParityReport
from trm_edge.progress import Track, silent
from trm_edge.suggestions import did_you_mean

FLOAT32 = "float32"


class BundleTarget(NamedTuple):
    """A target of a bundle that is to be reported.

    Args:
        bundle: the bundle.
        target: name of one of its targets.
    """

    bundle: Bundle
    target: str


@dataclass(frozen=True)
class ReportRow:
    """A target of a bundle, evaluated.

    Args:
        bundle: the bundle.
        target: name of the target.
        label: name of the row in the report, unique in it.
        engine: description of what ran the target.
        parity: its answers compared with those of the float32 model.
        bench: its timings, or None if nothing was timed.
    """

    bundle: Bundle
    target: str
    label: str
    engine: str
    parity: ParityReport
    bench: BenchRow | None

    @property
    def precision(self) -> str:
        """Precision of the target, from the manifest."""
        return self.bundle.manifest.targets[self.target].precision

    @property
    def checkpoint(self) -> str:
        """sha256 of the checkpoint: rows of one checkpoint share their float32 answers."""
        return self.bundle.manifest.checkpoint.sha256

    @property
    def bytes(self) -> int:
        """Size of the engine, or of the step graph if there is no engine."""
        return self.bundle.size_of(self.target)

    @property
    def broken(self) -> list[str]:
        """The bundle's accuracy limits that this target exceeds beyond chance, as sentences."""
        return self._limits("fail")

    @property
    def undecided(self) -> list[str]:
        """The accuracy limits that the puzzles cannot decide, as sentences."""
        return self._limits("inconclusive")

    def _limits(self, verdict: LimitVerdict) -> list[str]:
        judged = self.parity.judge(self.bundle.manifest.limits)
        return [limit.message for limit in judged if limit.verdict == verdict]


@dataclass(frozen=True)
class ReferenceRow:
    """The float32 model of a checkpoint, as measured beside one of its quantized rows.

    Args:
        label: name of the row in the report.
        row: the row whose parity report and timings contain the float32 figures.
    """

    label: str
    row: ReportRow

    def ms_per_step(self, index: int) -> float | None:
        """Milliseconds of a float32 step, or None if it was not timed beside the row.

        Args:
            index: position among the numbers of slots that the row was timed with.
        """
        if self.row.bench is None:
            return None
        latency = self.row.bench.latencies[index]
        if latency.times_float32 is None:
            return None
        return latency.p50_ms * latency.times_float32.median


@dataclass(frozen=True)
class RowGroup:
    """Rows that can be compared because they solved the same puzzles.

    Args:
        name: the kind of puzzle, and which of the sets where there are several.
        rows: the rows, in the order of the report.
    """

    name: str
    rows: tuple[ReportRow, ...]

    @property
    def references(self) -> list[ReferenceRow]:
        """The float32 model of each checkpoint, in the order of the rows."""
        first_rows: dict[str, ReportRow] = {}
        for row in self.rows:
            first_rows.setdefault(row.checkpoint, row)
        if len(first_rows) == 1:
            return [ReferenceRow(FLOAT32, row) for row in first_rows.values()]
        return [ReferenceRow(f"{FLOAT32} of {row.label}", row) for row in first_rows.values()]

    @property
    def missing_references(self) -> list[ReferenceRow]:
        """The float32 models that have no row of their own."""
        with_row = {row.checkpoint for row in self.rows if row.precision == "fp32"}
        return [
            reference for reference in self.references if reference.row.checkpoint not in with_row
        ]


def select_targets(bundles: Iterable[Bundle], targets: Sequence[str] = ()) -> list[BundleTarget]:
    """List the targets to report; a bundle that is passed twice counts once.

    Args:
        bundles: the bundles.
        targets: names of targets; all of them by default.

    Raises:
        BundleError: none of the bundles has a target of that name.
    """
    by_path = {bundle.path.resolve(): bundle for bundle in bundles}
    every = []
    for bundle in by_path.values():
        every += [BundleTarget(bundle, name) for name in bundle.manifest.targets]
    available = sorted({entry.target for entry in every})
    for name in targets:
        if name not in available:
            raise BundleError(
                f"none of the bundles has a target {name!r}; they have {', '.join(available)}."
                f"{did_you_mean(name, available)}"
            )
    return [entry for entry in every if not targets or entry.target in targets]


def row_labels(entries: Sequence[BundleTarget]) -> list[str]:
    """Name each row by the bundle's folder, and more where that alone is ambiguous.

    The path replaces the folder's name where another bundle has the same name; the target follows
    where a bundle has several rows.

    Args:
        entries: the targets of all rows.
    """
    folders = [entry.bundle.path.resolve() for entry in entries]
    names = [folder.name for folder in dict.fromkeys(folders)]
    labels = []
    for entry, folder in zip(entries, folders, strict=True):
        label = folder.name
        if names.count(label) > 1:
            label = str(entry.bundle.path)
        if folders.count(folder) > 1:
            label = f"{label}, {entry.target}"
        labels.append(label)
    return labels


def collect_rows(
    entries: Sequence[BundleTarget],
    measure: Callable[[Bundle, str], BenchRow | None],
    *,
    puzzles: int | None = None,
    threads: int = 0,
    track: Track = silent,
) -> list[ReportRow]:
    """Evaluate every target.

    Args:
        entries: the targets, in the order of the report.
        measure: returns the timings of a bundle's target, which include a parity report, or None
            to leave it untimed; the held-out puzzles are then solved here.
        puzzles: number of held-out puzzles to solve here; all by default.
        threads: CPU threads; 0: every core.
        track: reports progress.

    Raises:
        BundleError: a bundle's parity vectors are damaged.
        EngineError: a target has an engine that does not fit this machine.
        BackendError: an engine failed.
    """
    rows = []
    for entry, label in zip(entries, row_labels(entries), strict=True):
        bundle = entry.bundle
        target = entry.target
        bench = measure(bundle, target)
        if bench is not None:
            row = ReportRow(bundle, target, label, bench.engine, bench.parity, bench)
        else:
            run = solve_held_out(
                bundle, target, puzzles=puzzles, threads=threads, track=track, description=label
            )
            row = ReportRow(bundle, target, label, run.engine, run.report(), None)
        rows.append(row)
    return rows


def group_rows(rows: Sequence[ReportRow]) -> list[RowGroup]:
    """Group rows that solved the same puzzles, and mark the timed rows that no other beats.

    Args:
        rows: all rows of the report.
    """
    by_puzzles: dict[tuple[str, int, str, int], list[ReportRow]] = {}
    for row in rows:
        manifest = row.bundle.manifest
        key = (manifest.task, manifest.model.seq_len, *row.parity.solved_puzzles)
        by_puzzles.setdefault(key, []).append(row)
    names = _group_names(list(by_puzzles))
    groups = []
    for name, members in zip(names, by_puzzles.values(), strict=True):
        groups.append(RowGroup(name, _with_pareto(members)))
    return groups


def _group_names(keys: Sequence[tuple[str, int, str, int]]) -> list[str]:
    """Name each group by its task, and more where that alone is ambiguous.

    Args:
        keys: task, number of cells, puzzle set and number of puzzles of each group.
    """
    names = []
    for number, (task, cells, _, puzzles) in enumerate(keys):
        name = task
        if len({key[1] for key in keys if key[0] == task}) > 1:
            name = f"{name}, {cells} cells"
        alike = [index for index, key in enumerate(keys) if key[:2] == (task, cells)]
        if len(alike) > 1:
            name = f"{name}, puzzle set {alike.index(number) + 1} ({puzzles} puzzles)"
        names.append(name)
    return names


def _with_pareto(rows: Sequence[ReportRow]) -> tuple[ReportRow, ...]:
    timed = [row.bench for row in rows if row.bench is not None]
    marked = iter(mark_pareto(timed))
    result = []
    for row in rows:
        if row.bench is not None:
            row = replace(row, bench=next(marked))
        result.append(row)
    return tuple(result)
