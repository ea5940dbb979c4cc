"""Measures what a baseline keeps of a bundle but its speed: answers, sizes, layers."""

from __future__ import annotations

import os
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from trm_edge import __version__
from trm_edge.bundle import Bundle
from trm_edge.engines.layers import read_layers
from trm_edge.engines.record import ENGINE as ENGINE_FILE
from trm_edge.engines.record import LAYERS
from trm_edge.evaluation.held_out import solve_held_out
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.files import hash_file
from trm_edge.manifest import TargetRecord
from trm_edge.progress import Track, silent
from trm_edge.regression.baseline import ENGINE, STEP_GRAPH, Answers, Measurement


def measure(
    bundle: Bundle, target: str, *, track: Track = silent
) -> tuple[Measurement, ParityVectors]:
    """The target as it is now, with no speeds, and every answer in full."""
    name, record = bundle.target(target)
    run = solve_held_out(bundle, name, track=track)
    measured = Measurement(
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
    return measured, run.candidate


def float32_sha256(bundle: Bundle) -> str | None:
    """Of the float32 step that the bundle holds, None where it holds none."""
    path = bundle.manifest.float32
    return None if path is None else bundle.manifest.files[path].sha256


def _sizes(bundle: Bundle, record: TargetRecord) -> dict[str, int]:
    sizes = {STEP_GRAPH: bundle.manifest.files[record.step].size}
    engine = (bundle.path / record.step).parent / ENGINE_FILE
    if engine.exists():
        sizes[ENGINE] = engine.stat().st_size
    return sizes


def _engine_layers(step: Path) -> dict[str, str]:
    path = step.parent / LAYERS
    if not path.exists():
        return {}
    products = read_layers(path.read_text(encoding="utf-8")).products()
    return {
        name: ", ".join(f"{kind} x {count}" for kind, count in sorted(kinds.items()))
        for name, kinds in products.items()
    }


def _provenance(bundle: Bundle) -> dict[str, str]:
    told = {
        "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "trm-edge": __version__,
        "checkpoint": bundle.manifest.checkpoint.sha256,
        "manifest": hash_file(bundle.path / "manifest.json"),
    }
    commit = os.environ.get("GITHUB_SHA") or _commit()
    return told | ({"commit": commit} if commit else {})


def _commit() -> str:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
