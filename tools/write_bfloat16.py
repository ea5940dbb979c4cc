"""Write a trained checkpoint in bfloat16, for a model of the repository outside the wheel.

    python tools/write_bfloat16.py build/train/wide/checkpoint models/sudoku-wide

CHECKPOINT is read as `trm-edge export` reads it: of averaged and raw weights the averaged are
taken. Weights and puzzle embeddings are rounded to bfloat16; settings and names of rows stay. Other
files of the folder, such as a model card, stay, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import torch
import yaml

from trm_edge.export.checkpoint import Checkpoint, load_checkpoint
from trm_edge.files import hash_file
from trm_edge.training.run_folder import write_checkpoint

_MEGABYTES = 11.0  # of a model in the repository


@click.command(help=__doc__)
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--max-mb", default=_MEGABYTES, show_default=True, help="Size of the weight file.")
@click.option("--force", is_flag=True, help="Replace weights of another step.")
def main(checkpoint: Path, output: Path, max_mb: float, force: bool) -> None:
    loaded = load_checkpoint(checkpoint)
    step = _step_of(loaded.path)
    _require_size(loaded, max_mb)
    old = [path for path in output.glob("step_*") if path.name != f"step_{step}"]
    if old and not force:
        raise click.UsageError(
            f"{output} holds {', '.join(sorted(path.name for path in old))} already; --force "
            "replaces it."
        )
    table = loaded.puzzle_embeddings
    path = write_checkpoint(
        output,
        loaded.model,
        None if table is None else torch.from_numpy(table),
        step,
        _training_settings(loaded.path.parent),
        torch.bfloat16,
        loaded.identifiers,
    )
    for replaced in old:
        replaced.unlink()
    click.echo(f"wrote {path}: {path.stat().st_size / 1e6:.1f} MB, sha256 {hash_file(path)}")


def _step_of(path: Path) -> int:
    """The optimizer step in the name of a weight file."""
    _, _, digits = path.stem.partition("step_")
    if not digits.isdigit():
        raise click.UsageError(
            f"{path.name} does not say the optimizer step. Rename it, such as to step_5000."
        )
    return int(digits)


def _require_size(checkpoint: Checkpoint, max_mb: float) -> None:
    """Refuse a model that is too large for the repository, before anything is written."""
    numbers = sum(value.numel() for value in checkpoint.model.state_dict().values())
    if checkpoint.puzzle_embeddings is not None:
        numbers += checkpoint.puzzle_embeddings.size
    megabytes = 2 * numbers / 1e6
    if megabytes > max_mb:
        raise click.UsageError(
            f"{checkpoint.path} takes {megabytes:.1f} MB in bfloat16, but at most {max_mb:g} MB "
            "were expected (--max-mb)."
        )


def _training_settings(folder: Path) -> dict[str, Any]:
    """The settings beside ``arch`` in the run's configuration."""
    settings: dict[str, Any] = yaml.safe_load((folder / "all_config.yaml").read_text())
    settings.pop("arch")
    return settings


if __name__ == "__main__":
    main()
