"""Tell which test inputs the bundled ARC model solves by voting, for its card; prints Markdown.

    python tools/arc_card.py float32=runs/fp32 INT8=runs/int8 FP8=runs/fp8

Each run is a folder that ``trm-edge solve BUNDLE TASKS -o FOLDER`` wrote, for tasks whose outputs
are known. A cell has the share of the votes for the right answer, and its place among the answers
where it is not the first.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from arc_reference import TASKS, UNSEEN

RULES = {**TASKS, **UNSEEN}


@click.command(help=__doc__)
@click.argument("runs", nargs=-1, required=True, metavar="NAME=FOLDER...")
def main(runs: tuple[str, ...]) -> None:
    folders = {}
    for run in runs:
        name, _, folder = run.partition("=")
        folders[name] = Path(folder)
    rankings = {name: _read(folder / "ranking.json") for name, folder in folders.items()}
    tasks = _read(next(iter(folders.values())) / "test_puzzles.json")
    click.echo("| task | rule | " + " | ".join(rankings) + " |")
    click.echo("|---|---|" + "---|" * len(rankings))
    for name, task in tasks.items():
        for number, pair in enumerate(task["test"]):
            label = name if len(task["test"]) == 1 else f"{name}, test input {number + 1}"
            cells = []
            for ranking in rankings.values():
                cells.append(_cell(ranking[name][number], pair["output"]))
            click.echo(f"| {label} | {RULES.get(name, '')} | {' | '.join(cells)} |")


def _cell(candidates: list[dict[str, Any]], answer: list[list[int]]) -> str:
    votes = sum(candidate["votes"] for candidate in candidates)
    for place, candidate in enumerate(candidates, start=1):
        if candidate.get("grid") == answer:
            share = f"{candidate['votes']} of {votes}"
            return share if place == 1 else f"{share}, answer {place}"
    return f"none of {votes}"


def _read(path: Path) -> Any:
    return json.loads(path.read_text())


if __name__ == "__main__":
    main()
