"""Measures what a baseline keeps: answers, sizes, layers, and speed beside yardsticks."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge import __version__
from trm_edge.backends.base import Backend
from trm_edge.bundle import Bundle
from trm_edge.engine_layers import read_layers
from trm_edge.engine_record import ENGINE, LAYERS
from trm_edge.evaluation.baseline import Answers, Measured, Speed
from trm_edge.evaluation.footprint import footprint
from trm_edge.evaluation.machine import Machine
from trm_edge.evaluation.steps import float32_backend, on_cpu, repeated_step
from trm_edge.evaluation.timing import interleaved
from trm_edge.evaluation.vectors import ParityVectors, record_vectors
from trm_edge.evaluation.yardstick import matmul
from trm_edge.files import hash_file
from trm_edge.manifest import TargetRecord
from trm_edge.progress import Track, silent

SLOTS = (1, 8)  # of the steps that are timed
ROUNDS = 50
SESSIONS = 3  # that share the rounds
SECONDS = 0.02  # of a turn: short ones meet a busy machine's pauses
STEP, MATMUL, FLOAT32 = "step", "matmul", "float32 step"  # the last two are yardsticks


def measure(
    bundle: Bundle,
    target: str,
    make_backend: Callable[[int], Backend],
    *,
    rounds: int = ROUNDS,
    slots: Sequence[int] = SLOTS,
    speed: bool = True,
    track: Track = silent,
) -> tuple[Measured, ParityVectors]:
    """All that is compared, and every answer in full.

    Args:
        make_backend: a fresh backend of the target, by threads (0: every core).
        speed: also time steps and start processes, which takes longer than the answers.
    """
    name, record = bundle.target(target)
    reference = ParityVectors.from_arrays(bundle.parity_vectors())
    table = bundle.puzzle_embeddings()
    candidate = record_vectors(
        make_backend(0),
        table,
        reference.puzzles(),
        reference.labels,
        track=track,
        what=f"{name}, {record.precision}",
    )
    float32 = bundle.manifest.float32
    speeds: tuple[Speed, ...] = ()
    if speed:
        speeds = (measure_speed(bundle, name, make_backend, rounds, slots, track),)
    measured = Measured(
        target=name,
        precision=record.precision,
        step_sha256=bundle.manifest.files[record.step].sha256,
        float32_sha256=None if float32 is None else bundle.manifest.files[float32].sha256,
        answers=Answers.of(reference, candidate),
        sizes=_sizes(bundle, record),
        float_layers=tuple(layer.layer for layer in record.float_layers),
        engine_layers=_engine_layers(bundle.path / record.step),
        speeds=speeds,
        provenance=_provenance(bundle),
    )
    return measured, candidate


def measure_speed(
    bundle: Bundle,
    target: str,
    make_backend: Callable[[int], Backend],
    rounds: int = ROUNDS,
    slots: Sequence[int] = SLOTS,
    track: Track = silent,
) -> Speed:
    """Times side by side: CPU time of one thread where a CPU computes, else by the wall's clock."""
    vectors = ParityVectors.from_arrays(bundle.parity_vectors())
    times: dict[str, dict[str, NDArray[np.float64]]] = {}
    for count in track(slots, "timing steps", len(slots)):
        # Where memory comes to lie is worth some percent, too: every session has other places.
        sessions = [
            _side_by_side(bundle, make_backend, vectors, count, -(-rounds // SESSIONS))
            for _ in range(SESSIONS)
        ]
        times[str(count)] = {
            name: np.concatenate([session[name] for session in sessions]) for name in sessions[0]
        }
    cold = footprint(bundle.path, target)
    return Speed(
        machine=Machine.here(),
        times=times,
        memory=float(cold.peak - cold.peak_alone),
        startup=float(np.min(cold.seconds) / np.min(cold.alone)),
    )


def _side_by_side(
    bundle: Bundle,
    make_backend: Callable[[int], Backend],
    vectors: ParityVectors,
    slots: int,
    rounds: int,
) -> dict[str, NDArray[np.float64]]:
    """Seconds of a step and of what it is held against, all loaded anew."""
    table = bundle.puzzle_embeddings()
    with ExitStack() as stack:
        backend = stack.enter_context(make_backend(1))
        cpu = on_cpu(backend)
        runs: dict[str, Callable[[], Any]] = {STEP: repeated_step(backend, table, vectors, slots)}
        if cpu:
            runs[MATMUL] = matmul(threads=1)
            plain = float32_backend(bundle, threads=1)
            if plain is not None:
                active = stack.enter_context(plain)
                runs[FLOAT32] = repeated_step(active, table, vectors, slots)
        clock = time.thread_time if cpu else time.perf_counter
        return interleaved(runs, rounds, SECONDS, clock, quickest=True)


def _sizes(bundle: Bundle, record: TargetRecord) -> dict[str, int]:
    sizes = {"step graph": bundle.manifest.files[record.step].size}
    engine = (bundle.path / record.step).parent / ENGINE
    if engine.exists():
        sizes["engine"] = engine.stat().st_size
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
