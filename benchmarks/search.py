"""Measure what more tries and more depth are worth: explorers and selectors, in both precisions.

    python benchmarks/search.py --output benchmarks/results --update docs/speed.md \\
        --picture docs/images/search.svg
    python benchmarks/search.py --output build/search --checkpoint runs/mine/step_2000 --name mine

The bundled models solve held-out puzzles and harder ones than they were trained for: Sudokus with
more blanks, mazes with longer dead ends. Every try is made once, and each selector chooses among
the first 1, 2, 4 ... of them, ending where it has decided. Depth takes every puzzle through four
times the model's steps. Writes search.json after every part, and resumes from it: another number
of puzzles or tries is another part.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from lib.extras import require_bench_extra
from lib.references import GRID_MODELS

require_bench_extra("torch", "onnx", "modelopt", "matplotlib", "numba")

import click
from lib.document_tables import update_tables
from lib.search_explorers import EXPLORERS
from lib.search_parts import DEPTH, list_parts
from lib.search_picture import draw
from lib.search_subject import Subject
from lib.search_tables import page as _page
from lib.search_tables import summaries

from trm_edge.cli.options import ThreadCount
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.files import check_writable, write_text
from trm_edge.progress import progress_bars
from trm_edge.reference import reference_checkpoint


@click.command(help=__doc__)
@click.option("--puzzles", default=128, show_default=True, help="In each set.")
@click.option(
    "--tries",
    type=click.IntRange(2),
    default=32,
    show_default=True,
    help="At each puzzle, until an answer is valid.",
)
@click.option(
    "--compared",
    type=click.IntRange(2),
    default=8,
    show_default=True,
    help="First tries, which are all made: q, mode and settled choose among them.",
)
@click.option(
    "--explorer",
    "explorers",
    multiple=True,
    type=click.Choice([DEPTH, *(explorer.name for explorer in EXPLORERS)]),
    help="Repeatable; all by default.",
)
@click.option(
    "--model", "models", multiple=True, type=click.Choice(GRID_MODELS), help="Repeatable."
)
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Instead of bundled models.")
@click.option("--name", default="checkpoint", show_default=True, help="Of the checkpoint.")
@click.option("--hard/--no-hard", default=True, show_default=True, help="Harder puzzles, too.")
@click.option("--batch", default=32, show_default=True)
@click.option("--threads", type=ThreadCount(), default=0, help="0: as many as cores.")
@click.option("--bundles", type=click.Path(path_type=Path), help="Keep and reuse bundles here.")
@click.option("--write-only", is_flag=True, help="Only write what earlier calls measured.")
@click.option("--update", "document", type=click.Path(path_type=Path, exists=True))
@click.option("--picture", type=click.Path(path_type=Path), help="Draw the curves to this SVG.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder.")
def main(
    puzzles: int,
    tries: int,
    compared: int,
    explorers: tuple[str, ...],
    models: tuple[str, ...],
    checkpoint: Path | None,
    name: str,
    hard: bool,
    batch: int,
    threads: int,
    bundles: Path | None,
    write_only: bool,
    document: Path | None,
    picture: Path | None,
    output: Path,
) -> None:
    path = output / "search.json"
    check_writable(path)
    results: dict[str, Any] = {}
    if path.exists():
        results = json.loads(path.read_text(encoding="utf-8"))
    sources = {model: reference_checkpoint(model) for model in models or GRID_MODELS}
    if checkpoint is not None:
        sources = {name: checkpoint}
    if write_only:
        sources = {}
    with tempfile.TemporaryDirectory() as temporary, progress_bars() as track:
        for label, source in sources.items():
            subject = Subject(
                label,
                load_checkpoint(source),
                bundles or Path(temporary),
                puzzles,
                hard=hard,
                batch=batch,
                threads=threads,
            )
            for part in list_parts(subject, tries, compared, explorers):
                if part.key in results:
                    continue
                results[part.key] = part.measure(track)
                write_text(path, json.dumps(results, indent=1) + "\n")
    text = _page(results)
    write_text(output / "search.md", text)
    click.echo(text)
    if document:
        update_tables(document, summaries(results))
    if picture:
        draw(results, picture)


if __name__ == "__main__":
    main()
