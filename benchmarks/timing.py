"""Times taken side by side: everything has its turn in every round, and ratios are by round."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.onnxruntime import available_cores


@dataclass(frozen=True)
class Ratio:
    """How many times as fast: median over rounds, with its 95 % bootstrap interval."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} - {self.high:.2f})"


def interleaved(
    runs: Mapping[str, Callable[[], Any]], rounds: int, seconds: float
) -> dict[str, NDArray[np.float64]]:
    """Seconds of one call, by name and round; each turn lasts ``seconds`` or one call.

    A turn of short calls begins with some that are not timed: threads of the one before still spin.
    """
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            if seconds:
                until = time.perf_counter() + seconds / 4
                while time.perf_counter() < until:
                    run()
            began, count = time.perf_counter(), 0
            while count == 0 or time.perf_counter() - began < seconds:
                run()
                count += 1
            times[name].append((time.perf_counter() - began) / count)
    return {name: np.array(found) for name, found in times.items()}


def ratio(slow: NDArray[np.float64], quick: NDArray[np.float64]) -> Ratio:
    """``slow`` / ``quick`` of the same rounds."""
    by_round = slow / quick
    rng = np.random.default_rng(0)
    drawn = rng.choice(by_round, (2000, len(by_round)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    return Ratio(float(np.median(by_round)), float(low), float(high))


def machine(threads: int) -> dict[str, Any]:
    """What figures were taken on."""
    import onnxruntime as ort
    import torch

    told = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    lines = dict(
        (part.strip() for part in line.split(":", 1)) for line in told.splitlines() if ":" in line
    )
    known = set(lines.get("flags", "").split())
    return {
        "cpu": lines.get("model name", platform.processor()),
        "cores": available_cores(),
        "threads": threads,
        "instructions": sorted(
            known & {"avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8"}
        ),
        "load before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "onnxruntime": ort.__version__,
        "torch": torch.__version__,
    }
