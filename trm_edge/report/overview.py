"""The head of the page: what was measured, on what, and every row as figures."""

from __future__ import annotations

from collections.abc import Mapping

from trm_edge.evaluation.machine import Machine
from trm_edge.evaluation.parity import ModeParity
from trm_edge.report.markup import Content, Markup, element, joined, table
from trm_edge.report.rows import Group, Reference, Row
from trm_edge.report.style import FLOAT32_MARK, Mark

_NOTHING = "-"


def machine_text(machine: Machine) -> str:
    """What it is, without what it is doing."""
    parts = [
        f"{machine.cpu} ({', '.join(machine.instructions)})"
        if machine.instructions
        else machine.cpu,
        f"{machine.cores} core{'' if machine.cores == 1 else 's'}",
        *machine.gpus,
        machine.system,
        f"Python {machine.python}",
        f"ONNX Runtime {machine.onnxruntime}",
    ]
    return ", ".join(parts)


def overview(group: Group, marks: Mapping[str, Mark]) -> Markup:
    """A table of a group's rows, below the float32 models that they are held against."""
    benches = [row.bench for row in group.rows if row.bench is not None]
    slots = sorted({one.slots for bench in benches for one in bench.latencies})
    energy = any(bench.joules_per_puzzle is not None for bench in benches)
    columns = ["", "exact, fixed", "exact, adaptive", "same step", "steps"]
    for count in slots:
        name = f"{count} slot{'' if count == 1 else 's'}"
        columns += [f"ms, {name}", "times float32"]
    if benches:
        columns += ["puzzles/s", "MB at peak"]
    columns += ["kB", *(["J a puzzle"] if energy else []), "limits"]
    rows = [_float32(one, slots, columns) for one in group.missing_references]
    rows += [_row(row, marks[row.label], slots, columns) for row in group.rows]
    return table(columns, rows, class_="overview")


def engines(groups: tuple[Group, ...]) -> Markup:
    """What ran each target, each said once."""
    told = dict.fromkeys(f"{row.target}: {row.engine}" for group in groups for row in group.rows)
    return joined(element("p", one, class_="small") for one in told)


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _row(row: Row, mark: Mark, slots: list[int], columns: list[str]) -> list[Content]:
    fixed = row.parity.fixed
    adaptive = row.parity.adaptive
    bench = row.bench
    star: tuple[Content, ...] = ()
    if bench is not None and bench.pareto:
        star = (
            element("span", " ★", class_="star", title="no row is both more right and quicker"),
        )
    cells: list[Content] = [
        element("span", _swatch(mark), row.label, *star, _small(f"{row.target}, {row.precision}")),
        _exact(fixed),
        _exact(adaptive),
        percent(row.parity.halting.agreement),
        f"{row.parity.halting.steps_candidate:.2f}",
    ]
    timed = {} if bench is None else {one.slots: one for one in bench.latencies}
    for count in slots:
        one = timed.get(count)
        cells.append(_NOTHING if one is None else f"{one.p50_ms:.2f}")
        times = None if one is None else one.times_float32
        cells.append(
            _NOTHING
            if times is None
            else _with_interval(f"{times.median:.2f}", f"{times.low:.2f} to {times.high:.2f}")
        )
    if "puzzles/s" in columns:
        rate = _NOTHING if bench is None else f"{bench.puzzles_per_second:.3g}"
        cells += [rate, _NOTHING if bench is None else f"{bench.peak_memory_bytes / 1e6:.0f}"]
    cells.append(f"{row.bytes / 1e3:.0f}")
    if "J a puzzle" in columns:
        joules = None if bench is None else bench.joules_per_puzzle
        cells.append(_NOTHING if joules is None else f"{joules:.3g}")
    cells.append(element("span", "broken", title="; ".join(row.broken)) if row.broken else "kept")
    return cells


def _float32(reference: Reference, slots: list[int], columns: list[str]) -> list[Content]:
    """The checkpoint itself: answers from the bundle, times from beside the row's."""
    row = reference.row
    fixed = row.parity.fixed
    adaptive = row.parity.adaptive
    cells: list[Content] = [
        element("span", _swatch(FLOAT32_MARK), reference.label, _small("cpu, fp32")),
        _with_interval(percent(fixed.exact_reference), _interval(fixed.interval_reference)),
        _with_interval(percent(adaptive.exact_reference), _interval(adaptive.interval_reference)),
        _NOTHING,
        f"{row.parity.halting.steps_reference:.2f}",
    ]
    timed = [] if row.bench is None else [one.slots for one in row.bench.latencies]
    for count in slots:
        ms = reference.ms_per_step(timed.index(count)) if count in timed else None
        cells += [_NOTHING if ms is None else f"{ms:.2f}", _NOTHING]
    return cells + [_NOTHING] * (len(columns) - len(cells))


def _small(line: str) -> Markup:
    return element("small", line)


def _exact(mode: ModeParity) -> Markup:
    return _with_interval(percent(mode.exact_candidate), _interval(mode.interval_candidate))


def _interval(bounds: tuple[float, float]) -> str:
    return f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f}"


def _with_interval(figure: str, interval: str) -> Markup:
    return element("span", figure, _small(interval))


def _swatch(mark: Mark) -> Markup:
    return element("span", class_="swatch", style=f"background: {mark.colour}", aria_hidden="true")
