"""The rows of a report: one target of one bundle each, measured now or before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from trm_edge.bundle import Bundle
from trm_edge.errors import BundleError
from trm_edge.evaluation.bench import BenchRow, mark_pareto
from trm_edge.evaluation.held_out import solve_held_out
from trm_edge.evaluation.parity import ParityReport
from trm_edge.progress import Track, silent

FLOAT32 = "float32"


@dataclass(frozen=True)
class Row:
    """One target of one bundle."""

    bundle: Bundle
    target: str
    label: str  # unlike that of any other row
    engine: str  # what ran it
    parity: ParityReport
    bench: BenchRow | None  # None: nothing was timed

    @property
    def precision(self) -> str:
        return self.bundle.manifest.targets[self.target].precision

    @property
    def checkpoint(self) -> str:
        """Its sha256: rows of one checkpoint have the same float32 answers."""
        return self.bundle.manifest.checkpoint.sha256

    @property
    def bytes(self) -> int:
        """Of the engine, or of the step graph where there is none."""
        return self.bundle.size_of(self.target)

    @property
    def broken(self) -> list[str]:
        """What the bundle promises against float32 and does not keep."""
        broken = self.parity.broken(self.bundle.manifest.limits)
        return [limit.message for limit in broken]


@dataclass(frozen=True)
class Reference:
    """The float32 model of a checkpoint, as the rows made from it know it."""

    label: str
    row: Row  # whose parity report and times it is read from

    def ms_per_step(self, place: int) -> float | None:
        """Of the row's ``place``-th number of slots; None where it was not timed beside it."""
        latency = None if self.row.bench is None else self.row.bench.latencies[place]
        if latency is None or latency.times_float32 is None:
            return None
        return latency.p50_ms * latency.times_float32.median


@dataclass(frozen=True)
class Group:
    """Rows that can be compared: they solve the same kind of puzzle."""

    name: str
    rows: tuple[Row, ...]

    @property
    def references(self) -> list[Reference]:
        """One for each checkpoint, in the order of the rows."""
        first = {row.checkpoint: row for row in reversed(self.rows)}
        found = [row for row in self.rows if first[row.checkpoint] is row]
        if len(found) == 1:
            return [Reference(FLOAT32, found[0])]
        return [Reference(f"{FLOAT32} of {row.label}", row) for row in found]

    @property
    def missing_references(self) -> list[Reference]:
        """Float32 models that no row is itself."""
        with_row = {row.checkpoint for row in self.rows if row.precision == "fp32"}
        return [one for one in self.references if one.row.checkpoint not in with_row]


def chosen_targets(
    bundles: Iterable[Bundle], targets: Sequence[str] = ()
) -> list[tuple[Bundle, str]]:
    """Every target of the bundles, or those named; a bundle that is given twice counts once.

    Raises:
        BundleError: no bundle holds a target of that name.
    """
    opened = list({bundle.path.resolve(): bundle for bundle in bundles}.values())
    had = sorted({name for bundle in opened for name in bundle.manifest.targets})
    unknown = [name for name in targets if name not in had]
    if unknown:
        raise BundleError(f"no bundle holds a target {unknown[0]!r}; there are {', '.join(had)}.")
    return [
        (bundle, name)
        for bundle in opened
        for name in bundle.manifest.targets
        if not targets or name in targets
    ]


def labels_of(work: Sequence[tuple[Bundle, str]]) -> list[str]:
    """The folder's name; its path where another has that name, and the target where it has more."""
    folders = [bundle.path.resolve() for bundle, _ in work]
    names = [folder.name for folder in dict.fromkeys(folders)]
    labels = []
    for (bundle, target), folder in zip(work, folders, strict=True):
        label = folder.name if names.count(folder.name) == 1 else str(bundle.path)
        labels.append(f"{label}, {target}" if folders.count(folder) > 1 else label)
    return labels


def gather(
    work: Sequence[tuple[Bundle, str]],
    measure: Callable[[Bundle, str], BenchRow | None],
    *,
    puzzles: int | None = None,
    threads: int = 0,
    track: Track = silent,
) -> list[Row]:
    """The rows of the report, in order.

    Args:
        measure: what was timed; None where nothing is to be, so that puzzles are solved alone.
        puzzles: how many of the held-out puzzles are solved then; all by default.
        threads: of the CPU; 0: every core.
    """
    rows = []
    for (bundle, target), label in zip(work, labels_of(work), strict=True):
        bench = measure(bundle, target)
        if bench is not None:
            engine, parity = bench.engine, bench.parity
        else:
            engine, parity = _solved(bundle, target, label, puzzles, threads, track)
        rows.append(Row(bundle, target, label, engine, parity, bench))
    return rows


def grouped(rows: Sequence[Row]) -> list[Group]:
    """By kind of puzzle, in order; what no other of a group beats is marked."""
    kinds: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        manifest = row.bundle.manifest
        kinds.setdefault((manifest.task, manifest.model.seq_len), []).append(row)
    tasks = [task for task, _ in kinds]
    return [
        Group(task if tasks.count(task) == 1 else f"{task}, {cells} cells", _marked(members))
        for (task, cells), members in kinds.items()
    ]


def _marked(rows: Sequence[Row]) -> tuple[Row, ...]:
    timed = iter(mark_pareto([row.bench for row in rows if row.bench is not None]))
    return tuple(row if row.bench is None else replace(row, bench=next(timed)) for row in rows)


def _solved(
    bundle: Bundle, target: str, label: str, puzzles: int | None, threads: int, track: Track
) -> tuple[str, ParityReport]:
    """What runs the target, and its answers to the held-out puzzles against float32's."""
    run = solve_held_out(
        bundle, target, puzzles=puzzles, threads=threads, track=track, description=label
    )
    return run.engine, run.report()
