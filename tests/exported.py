"""Toy bundles for GPU targets, exported as a user does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.toys import BASE, write_run
from trm_edge.bundle import Bundle
from trm_edge.calibration.recipe import CalibrationRecipe
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.manifest import Limits
from trm_edge.profile import Precision
from trm_edge.targets.export_bundle import export_bundle
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.request import ExportRequest, default_recipe
from trm_edge.tasks import task_for


def exported(folder: Path, dataset: Path, precision: Precision, names: tuple[str, ...]) -> Bundle:
    """Export the base toy.

    Args:
        folder: where the checkpoint and the bundle are written.
        dataset: puzzles for calibration and parity.
        precision: of the step graphs.
        names: shipped targets, or paths of TOML files.
    """
    targets = tuple(load_profile(name) for name in names)
    recipe: CalibrationRecipe | None = None
    if precision == "int8":
        recipe = replace(default_recipe(precision, "int8", targets), puzzles=4)
    checkpoint = load_checkpoint(write_run(folder / "run", BASE))
    request = ExportRequest(
        checkpoint=checkpoint,
        task=task_for(checkpoint.config),
        precision=precision,
        targets=targets,
        dataset=dataset,
        recipe=recipe,
        limits=Limits(max_drop=100, min_halting_agreement=0),
    )
    return export_bundle(request, folder / "bundle")
