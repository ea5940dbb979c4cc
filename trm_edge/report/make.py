"""From bundles to the page: open, measure what is not known yet, draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path

from trm_edge import __version__
from trm_edge.bundle import Bundle
from trm_edge.errors import MissingExtraError
from trm_edge.evaluation.bench import BenchRow, bench
from trm_edge.evaluation.bench_file import BenchFile, read_bench
from trm_edge.evaluation.machine import Machine
from trm_edge.evaluation.ranking import LayerRanking
from trm_edge.progress import Track, silent
from trm_edge.report.history import read_history
from trm_edge.report.refinement import refine
from trm_edge.report.rows import Row, chosen_targets, gather, grouped


@dataclass(frozen=True)
class ReportRequest:
    """What a report is made of."""

    bundles: tuple[Path, ...]
    targets: tuple[str, ...] = ()  # all by default
    puzzles: int | None = None  # of those held out; all by default
    bench: Path | None = None  # what was timed before
    timed: bool = True  # time what was not
    baselines: tuple[Path, ...] = ()
    threads: int = 0  # of the CPU; 0: every core


def require_plotly() -> None:
    """
    Raises:
        MissingExtraError: the charts' library is not installed.
    """
    if find_spec("plotly") is None:
        raise MissingExtraError("plotly", "report", "a report")


def make_report(request: ReportRequest, track: Track = silent) -> str:
    """The page, as HTML that needs nothing else.

    Raises:
        MissingExtraError: the charts' library is not installed.
        BundleError: a bundle, the benchmark or a baseline is missing, damaged or of another
            version; or no bundle holds a target that is asked for.
        BackendError: an engine failed.
    """
    require_plotly()
    from trm_edge.report.overview import machine_text
    from trm_edge.report.page import Report, render

    histories = tuple(read_history(path) for path in request.baselines)
    known = None if request.bench is None else read_bench(request.bench)
    work = chosen_targets([Bundle.open(path) for path in request.bundles], request.targets)

    def measure(bundle: Bundle, target: str) -> BenchRow | None:
        found = None if known is None else known.find(bundle, target)
        if found is not None or not request.timed:
            return found
        return bench(bundle, target, puzzles=request.puzzles, threads=request.threads, track=track)

    rows = gather(work, measure, puzzles=request.puzzles, threads=request.threads, track=track)
    groups = tuple(grouped(rows))
    return render(
        Report(
            version=__version__,
            made=f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC",
            machines=(("Machine", machine_text(Machine.current())), *_timed_on(known, rows)),
            groups=groups,
            layers=_ranked(rows),
            histories=histories,
            refinements=tuple(
                refine(
                    row.bundle,
                    row.target,
                    row.label,
                    puzzles=request.puzzles,
                    threads=request.threads,
                    track=track,
                )
                for row in (group.rows[0] for group in groups)
            ),
        )
    )


def _timed_on(known: BenchFile | None, rows: Sequence[Row]) -> tuple[tuple[str, str], ...]:
    """Where the rows of a file were timed, if any are used."""
    from trm_edge.report.overview import machine_text

    if known is None:
        return ()
    used = [row.label for row in rows if known.find(row.bundle, row.target) is not None]
    if not used:
        return (("Timed before", f"none of these ({known.path})"),)
    told, here = machine_text(known.machine), machine_text(Machine.current())
    where = "on this machine" if told == here else f"on {told}"
    return (("Timed before", f"{', '.join(used)}, {where} ({known.path})"),)


def _ranked(rows: Sequence[Row]) -> tuple[tuple[Row, LayerRanking], ...]:
    """Rows whose bundle ranks its layers, one a bundle."""
    firsts: dict[Path, Row] = {}
    for row in rows:
        firsts.setdefault(row.bundle.path.resolve(), row)
    rankings = ((row, row.bundle.sensitivity()) for row in firsts.values())
    return tuple((row, ranking) for row, ranking in rankings if ranking is not None)
