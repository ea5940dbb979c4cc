"""Makes a report: opens bundles, measures what has not been measured yet, renders the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from trm_edge import __version__
from trm_edge.bundle import Bundle
from trm_edge.evaluation.bench import BenchRow, bench
from trm_edge.evaluation.bench_file import BenchFile, read_bench
from trm_edge.evaluation.machine import Machine
from trm_edge.evaluation.ranking import LayerRanking
from trm_edge.progress import Track, silent
from trm_edge.report.history import read_history
from trm_edge.report.refinement import Refinement, record_refinement
from trm_edge.report.rows import ReportRow, RowGroup, collect_rows, group_rows, select_targets
from trm_edge.requirements import require_extra


@dataclass(frozen=True)
class ReportRequest:
    """The input and options of a report.

    Args:
        bundles: folders of the bundles.
        targets: names of targets; all of the bundles by default.
        puzzles: number of held-out puzzles to solve; all by default.
        bench: output of ``trm-edge bench -o``, whose rows are not measured again.
        timed: time the rows that ``bench`` does not contain.
        baselines: baseline files of ``trm-edge regress`` to draw over time.
        threads: CPU threads; 0: every core.
    """

    bundles: tuple[Path, ...]
    targets: tuple[str, ...] = ()
    puzzles: int | None = None
    bench: Path | None = None
    timed: bool = True
    baselines: tuple[Path, ...] = ()
    threads: int = 0


def require_plotly() -> None:
    """Check that the library that draws the charts is installed.

    Raises:
        MissingExtraError: it is not; names the extra that installs it.
    """
    require_extra({"plotly": "plotly"}, "report", "a report")


def make_report(request: ReportRequest, track: Track = silent) -> str:
    """Make a report as one HTML page that needs no other file.

    Args:
        request: bundles and options.
        track: reports progress.

    Raises:
        MissingExtraError: plotly is not installed.
        BundleError: a bundle is missing, damaged or of another version, or none of the bundles
            has a target of that name.
        RecordError: the benchmark or a baseline is missing, damaged or of another version.
        EngineError: a target has an engine that does not fit this machine.
        BackendError: an engine failed.
    """
    require_plotly()
    from trm_edge.report.content import Report
    from trm_edge.report.overview import machine_text
    from trm_edge.report.page import render

    histories = tuple(map(read_history, request.baselines))
    bench_file = None if request.bench is None else read_bench(request.bench)
    bundles = [Bundle.open(path) for path in request.bundles]
    entries = select_targets(bundles, request.targets)
    measure = _measurement(request, bench_file, track)
    rows = collect_rows(
        entries, measure, puzzles=request.puzzles, threads=request.threads, track=track
    )
    groups = tuple(group_rows(rows))
    machines = [("Machine", machine_text(Machine.current()))]
    if bench_file is not None:
        machines.append(("Timed earlier", _timed_earlier(bench_file, rows)))
    report = Report(
        version=__version__,
        created=f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC",
        machines=tuple(machines),
        groups=groups,
        rankings=_rankings(rows),
        histories=histories,
        refinements=_refinements(request, groups, track),
    )
    return render(report)


def _measurement(
    request: ReportRequest, bench_file: BenchFile | None, track: Track
) -> Callable[[Bundle, str], BenchRow | None]:
    """Return a function that looks a target up in the file, and otherwise times it if allowed."""

    def measure(bundle: Bundle, target: str) -> BenchRow | None:
        row = None if bench_file is None else bench_file.find(bundle, target)
        if row is not None or not request.timed:
            return row
        return bench(bundle, target, puzzles=request.puzzles, threads=request.threads, track=track)

    return measure


def _refinements(
    request: ReportRequest, groups: Sequence[RowGroup], track: Track
) -> tuple[Refinement, ...]:
    """Record a puzzle with the first row of each group."""
    refinements = []
    for group in groups:
        row = group.rows[0]
        refinement = record_refinement(
            row.bundle,
            row.target,
            row.label,
            puzzles=request.puzzles,
            threads=request.threads,
            track=track,
        )
        refinements.append(refinement)
    return tuple(refinements)


def _timed_earlier(bench_file: BenchFile, rows: Sequence[ReportRow]) -> str:
    """Name the rows whose timings are from a file, and the machine they were taken on."""
    from trm_edge.report.overview import machine_text

    used = [row.label for row in rows if bench_file.find(row.bundle, row.target) is not None]
    if not used:
        return f"none of these ({bench_file.path})"
    machine = machine_text(bench_file.machine)
    place = f"on {machine}"
    if machine == machine_text(Machine.current()):
        place = "on this machine"
    return f"{', '.join(used)}, {place} ({bench_file.path})"


def _rankings(rows: Sequence[ReportRow]) -> tuple[tuple[ReportRow, LayerRanking], ...]:
    """The layer ranking of each bundle that has one, with the bundle's first row."""
    first_rows: dict[Path, ReportRow] = {}
    for row in rows:
        first_rows.setdefault(row.bundle.path.resolve(), row)
    rankings = []
    for row in first_rows.values():
        ranking = row.bundle.sensitivity()
        if ranking is not None:
            rankings.append((row, ranking))
    return tuple(rankings)
