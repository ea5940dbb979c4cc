"""Measure all that a baseline keeps of a bundle except its speed: answers, sizes, layers."""

from __future__ import annotations

import os
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from trm_edge import __version__
from trm_edge.bundle import MANIFEST, Bundle
from trm_edge.engines.layers import load_layers
from trm_edge.engines.record import ENGINE as ENGINE_FILE
from trm_edge.engines.record import LAYERS
from trm_edge.evaluation.held_out import HeldOutRun, solve_held_out
from trm_edge.files import hash_file
from trm_edge.manifest import TargetRecord
from trm_edge.progress import Track, silent
from trm_edge.regression.answers import Answers
from trm_edge.regression.baseline import ENGINE, STEP_GRAPH, Measurement


def measure(
    bundle: Bundle, target: str, *, track: Track = silent
) -> tuple[Measurement, HeldOutRun]:
    """Measure a target.

    Args:
        bundle: the bundle.
        target: name of the target.
        track: reports progress.

    Returns:
        The measurement, which has no speeds, and the run with every answer in full.

    Raises:
        BundleError: there is no such target, or the bundle's vectors are damaged.
        EngineError: the target has an engine that does not fit this machine.
        BackendError: the engine failed.
    """
    name, record = bundle.target(target)
    run = solve_held_out(bundle, name, track=track)
    measurement = Measurement(
        target=name,
        precision=record.precision,
        step_sha256=bundle.manifest.files[record.step].sha256,
        float32_sha256=float32_sha256(bundle),
        answers=Answers.of(run.reference, run.candidate),
        sizes=_sizes(bundle, record),
        float_layers=tuple(layer.layer for layer in record.float_layers),
        engine_layers=_engine_layers(bundle.path / record.step),
        speeds=(),
        provenance=_provenance(bundle),
    )
    return measurement, run


def float32_sha256(bundle: Bundle) -> str | None:
    """Look up the hash of the bundle's float32 step graph.

    Args:
        bundle: the bundle.

    Returns:
        The sha256, or None where the bundle has no such graph.
    """
    path = bundle.manifest.float32
    if path is None:
        return None
    return bundle.manifest.files[path].sha256


def _sizes(bundle: Bundle, record: TargetRecord) -> dict[str, int]:
    sizes = {STEP_GRAPH: bundle.manifest.files[record.step].size}
    engine = (bundle.path / record.step).parent / ENGINE_FILE
    if engine.exists():
        sizes[ENGINE] = engine.stat().st_size
    return sizes


def _engine_layers(step: Path) -> dict[str, dict[str, int]]:
    path = step.parent / LAYERS
    if not path.exists():
        return {}
    products = load_layers(path).products()
    return {layer: dict(sorted(counts.items())) for layer, counts in products.items()}


def _provenance(bundle: Bundle) -> dict[str, str]:
    provenance = {
        "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "trm-edge": __version__,
        "checkpoint": bundle.manifest.checkpoint.sha256,
        "manifest": hash_file(bundle.path / MANIFEST),
    }
    commit = os.environ.get("GITHUB_SHA") or _git_commit()
    if commit:
        provenance["commit"] = commit
    return provenance


def _git_commit() -> str:
    """Ask git for the current commit; empty where there is no git or no repository."""
    try:
        result = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    if result.returncode != 0:
        return ""
    return result.stdout.strip()
