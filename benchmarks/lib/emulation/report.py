"""The figures of all machines and models, filled run by run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lib.emulation.compare import Row, problems
from lib.emulation.machines import MACHINES, NATIVE
from lib.emulation.page import page, table
from lib.emulation.recordings import Plan
from lib.instruction_sets import instruction_set
from trm_edge.evaluation.machine import Machine as ThisMachine
from trm_edge.files import write_text

Report = dict[str, Any]


def update_report(folder: Path, rows: Sequence[Row], plan: Plan) -> Report:
    """Write ``emulated.json`` and ``emulated.md``.

    Rows of machines and models that did not run stay if they are of as many puzzles and steps. A
    model's rows are compared with one native machine: where another one has run it now, they are
    replaced.

    Args:
        folder: for both files.
        rows: of the machines that ran, with the native ones.
        plan: number of puzzles and steps.

    Returns:
        The content of ``emulated.json``.
    """
    file = folder / "emulated.json"
    machine = ThisMachine.current()
    native = {"machine": machine.kind, "instructions": instruction_set(machine)}
    natives = dict.fromkeys((row.model for row in rows), native)
    sizes = {"puzzles": plan.puzzles, "steps": plan.steps}
    report: Report = {"plan": sizes, "natives": natives, "rows": []}
    previous = json.loads(file.read_text()) if file.exists() else {}
    updated = {(row.machine, row.model, row.precision): row for row in rows}
    if previous.get("plan") == sizes:
        for content in previous["rows"]:
            row = Row(**content)
            compared_with = previous["natives"][row.model]
            if natives.setdefault(row.model, compared_with) == compared_with:
                updated.setdefault((row.machine, row.model, row.precision), row)
    report["rows"] = [asdict(row) for row in sorted(updated.values(), key=_place)]
    text = json.dumps(report, indent=1) + "\n"
    write_text(file, text)
    content = json.loads(text)
    write_text(folder / "emulated.md", page(content))
    return report


def report_problems(report: Report) -> list[str]:
    """Judge a report; see :func:`lib.emulation.compare.problems`.

    Args:
        report: the content of ``emulated.json``.
    """
    return problems([Row(**row) for row in report["rows"]])


def report_table(report: Report) -> str:
    """Format a report's rows; see :func:`lib.emulation.page.table`.

    Args:
        report: the content of ``emulated.json``.
    """
    return table([Row(**row) for row in report["rows"]], report["natives"])


def _place(row: Row) -> tuple[str, int, str]:
    names = [machine.name for machine in (NATIVE, *MACHINES)]
    return row.model, names.index(row.machine), row.precision
