"""The models that benchmarks compare cell by cell, and where they lie."""

from __future__ import annotations

from pathlib import Path

import click

from trm_edge.reference import reference_checkpoint

# Bundled. An ARC model leaves open what lies beside its grid; benchmarks/arc*.py measure it.
GRID_MODELS = ("sudoku", "maze")
# Of the published width: in the repository, and too large for the wheel.
WIDE = "sudoku-wide"
MEASURED_MODELS = (*GRID_MODELS, WIDE)
_FOLDER = Path(__file__).parents[2] / "models"


def checkpoint_of(name: str) -> Path:
    """Find the checkpoint of a measured model.

    Args:
        name: one of ``MEASURED_MODELS``.

    Returns:
        Its folder, as the published trainer writes one.

    Raises:
        ClickException: it is not in this checkout.
    """
    if name in GRID_MODELS:
        return reference_checkpoint(name)
    folder = _FOLDER / name
    if not any(folder.glob("step_*")):
        raise click.ClickException(
            f"{folder} holds no checkpoint (step_N). Train one: python tools/train_reference.py "
            f"{name} --folder build/train/wide --compile, then python tools/write_bfloat16.py "
            f"build/train/wide/checkpoint {folder}"
        )
    return folder
