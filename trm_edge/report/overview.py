"""The overview at the head of the page: machines, engines, and every row as figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trm_edge.evaluation.bench import BenchRow, Latency
from trm_edge.evaluation.machine import Machine
from trm_edge.evaluation.parity import ModeParity
from trm_edge.report.markup import Content, Markup, element, join, table
from trm_edge.report.rows import ReferenceRow, ReportRow, RowGroup
from trm_edge.report.style import FLOAT32_MARK, Mark

_NOTHING = "-"


def machine_text(machine: Machine) -> str:
    """Describe a machine without its load.

    Args:
        machine: the machine.
    """
    cpu = machine.cpu
    if machine.instructions:
        cpu = f"{cpu} ({', '.join(machine.instructions)})"
    cores = "1 core" if machine.cores == 1 else f"{machine.cores} cores"
    parts = [
        cpu,
        cores,
        *machine.gpus,
        machine.system,
        f"Python {machine.python}",
        f"ONNX Runtime {machine.onnxruntime}",
    ]
    return ", ".join(parts)


def engines_text(groups: Sequence[RowGroup]) -> Markup:
    """List what ran each target, without repetitions.

    Args:
        groups: all groups of the report.
    """
    lines: dict[str, None] = {}
    for group in groups:
        lines.update(dict.fromkeys(f"{row.target}: {row.engine}" for row in group.rows))
    return join(element("p", line, class_="small") for line in lines)


def overview(group: RowGroup, marks: Mapping[str, Mark]) -> Markup:
    """Build the table of a group: the float32 models first, then the rows.

    Args:
        group: the rows.
        marks: marks of the rows, by label.
    """
    layout = _TableLayout.of(group)
    rows = [_reference_cells(reference, layout) for reference in group.missing_references]
    rows += [_row_cells(row, marks[row.label], layout) for row in group.rows]
    return table(layout.columns, rows, class_="overview")


@dataclass(frozen=True)
class _TableLayout:
    """Columns that a group needs: timings and energy only where a row has them."""

    slots: tuple[int, ...]  # numbers of slots that any row was timed with
    timed: bool
    energy: bool

    @classmethod
    def of(cls, group: RowGroup) -> _TableLayout:
        benches = [row.bench for row in group.rows if row.bench is not None]
        slots: set[int] = set()
        for bench in benches:
            slots |= {latency.slots for latency in bench.latencies}
        energy = any(bench.joules_per_puzzle is not None for bench in benches)
        return cls(tuple(sorted(slots)), bool(benches), energy)

    @property
    def columns(self) -> list[str]:
        columns = ["", "exact, fixed", "exact, adaptive", "same halting step", "mean steps"]
        for count in self.slots:
            plural = "" if count == 1 else "s"
            columns += [f"ms, {count} slot{plural}", "speedup over float32"]
        if self.timed:
            columns += ["puzzles/s", "peak MB"]
        columns.append("kB")
        if self.energy:
            columns.append("J/puzzle")
        columns.append("limits")
        return columns


def _row_cells(row: ReportRow, mark: Mark, layout: _TableLayout) -> list[Content]:
    fixed = row.parity.fixed
    adaptive = row.parity.adaptive
    cells: list[Content] = [
        _row_name(row, mark),
        _accuracy_cell(row, fixed),
        _accuracy_cell(row, adaptive),
        _percent(row.parity.halting.agreement),
        f"{row.parity.halting.steps_candidate:.2f}",
    ]
    latencies = {}
    if row.bench is not None:
        latencies = {latency.slots: latency for latency in row.bench.latencies}
    for count in layout.slots:
        cells += _latency_cells(latencies.get(count))
    if layout.timed:
        cells += _throughput_cells(row.bench)
    cells.append(f"{row.bytes / 1e3:.0f}")
    if layout.energy:
        cells.append(_energy_cell(row.bench))
    cells.append(_limits_cell(row))
    return cells


def _row_name(row: ReportRow, mark: Mark) -> Markup:
    name: list[Content] = [_swatch(mark), row.label]
    if row.bench is not None and row.bench.pareto:
        title = "no other row is both more accurate and faster"
        name.append(element("span", " ★", class_="star", title=title))
    name.append(_small(f"{row.target}, {row.precision}"))
    return element("span", *name)


def _latency_cells(latency: Latency | None) -> list[Content]:
    """Milliseconds of a step, and how many times as fast as float32 it is."""
    if latency is None:
        return [_NOTHING, _NOTHING]
    ms = f"{latency.p50_ms:.2f}"
    speedup = latency.times_float32
    if speedup is None:
        return [ms, _NOTHING]
    interval = f"{speedup.low:.2f} to {speedup.high:.2f}"
    return [ms, _with_interval(f"{speedup.median:.2f}", interval)]


def _throughput_cells(bench: BenchRow | None) -> list[Content]:
    if bench is None:
        return [_NOTHING, _NOTHING]
    return [f"{bench.puzzles_per_second:.3g}", f"{bench.peak_memory_bytes / 1e6:.0f}"]


def _energy_cell(bench: BenchRow | None) -> str:
    if bench is None or bench.joules_per_puzzle is None:
        return _NOTHING
    return f"{bench.joules_per_puzzle:.3g}"


def _limits_cell(row: ReportRow) -> Content:
    if row.broken:
        return element("span", "exceeded", title="; ".join(row.broken))
    if row.undecided:
        return element("span", "inconclusive", title="; ".join(row.undecided))
    return "met"


def _reference_cells(reference: ReferenceRow, layout: _TableLayout) -> list[Content]:
    """The float32 model: its answers are in the bundle, its timings beside the row's."""
    row = reference.row
    name = element("span", _swatch(FLOAT32_MARK), reference.label, _small("cpu, fp32"))
    cells: list[Content] = [
        name,
        *_reference_accuracy(row),
        _NOTHING,
        f"{row.parity.halting.steps_reference:.2f}",
    ]
    timed_slots = []
    if row.bench is not None:
        timed_slots = [latency.slots for latency in row.bench.latencies]
    for count in layout.slots:
        ms = None
        if count in timed_slots:
            ms = reference.ms_per_step(timed_slots.index(count))
        cells += [_NOTHING if ms is None else f"{ms:.2f}", _NOTHING]
    missing = len(layout.columns) - len(cells)
    return cells + [_NOTHING] * missing


def _accuracy_cell(row: ReportRow, mode: ModeParity) -> Content:
    """Exact match, or the agreement with float32 where no answers are known."""
    if row.parity.labelled:
        return _share(mode.exact_candidate, mode.interval_candidate)
    return element("span", _percent(mode.same_answer), _small("as float32"))


def _reference_accuracy(row: ReportRow) -> list[Content]:
    if not row.parity.labelled:
        return [_NOTHING, _NOTHING]
    return [_share(mode.exact_reference, mode.interval_reference) for mode in row.parity.modes]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _share(share: float, interval: tuple[float, float]) -> Markup:
    low, high = interval
    return _with_interval(_percent(share), f"{100 * low:.1f} to {100 * high:.1f}")


def _with_interval(figure: str, interval: str) -> Markup:
    return element("span", figure, _small(interval))


def _small(line: str) -> Markup:
    return element("small", line)


def _swatch(mark: Mark) -> Markup:
    return element("span", class_="swatch", style=f"background: {mark.colour}", aria_hidden="true")
