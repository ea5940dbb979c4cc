"""Measure one thing about a bundle with a large puzzle-embedding table, in a process of its own.

    python benchmarks/lib/table_probe.py export|open|packed|verify ARGUMENTS

Prints JSON. Memory is what the process holds beyond what it held before, the libraries loaded:
``resident`` with the pages of mapped files, ``anonymous`` without them, which the system can drop.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections.abc import Callable, Mapping
from itertools import islice, permutations
from pathlib import Path
from typing import Any

import numpy as np

from trm_edge.bundle import Bundle
from trm_edge.identifiers import RowNames, pack_names, unpack_names
from trm_edge.puzzle import Puzzle

_LOOKUPS = 1000
_PUZZLES = 32
_POLL_SECONDS = 0.02
_PERMUTATIONS = ["".join(digits) for digits in islice(permutations("123456789"), 0, None, 360)]


def main() -> None:
    work: Mapping[str, Callable[..., dict[str, Any]]] = {
        "export": export,
        "open": open_and_use,
        "packed": read_packed,
        "verify": verify,
    }
    print(json.dumps(work[sys.argv[1]](*sys.argv[2:])))


def export(run: str, output: str, row_type: str) -> dict[str, Any]:
    """Export a run, and poll the memory meanwhile."""
    from trm_edge.export.checkpoint import load_checkpoint
    from trm_edge.targets.export_bundle import export_bundle
    from trm_edge.targets.profiles import load_profile
    from trm_edge.targets.request import ExportRequest
    from trm_edge.tasks import task_named

    before = _memory()
    cpu_start = time.process_time()
    peak = dict(before)
    done = threading.Event()

    def poll() -> None:
        """Keep the largest values until the export is done."""
        while not done.wait(_POLL_SECONDS):
            for key, value in _memory().items():
                peak[key] = max(peak[key], value)

    poller = threading.Thread(target=poll)
    poller.start()
    start = time.perf_counter()
    checkpoint = load_checkpoint(Path(run))
    request = ExportRequest(
        checkpoint=checkpoint,
        task=task_named("tokens", checkpoint.config),
        precision="fp32",
        targets=(load_profile("cpu"),),
        float32=False,
        row_type="int8" if row_type == "int8" else "float32",
    )
    bundle = export_bundle(request, Path(output))
    seconds = time.perf_counter() - start
    cpu_seconds = time.process_time() - cpu_start
    done.set()
    poller.join()
    record = bundle.manifest.rows
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "bytes": sum(file.size for file in bundle.manifest.files.values()),
        "mean_error": 0.0 if record is None else record.mean_error,
        "max_error": 0.0 if record is None else record.max_error,
        **_growth(before, peak),
    }


def open_and_use(path: str) -> dict[str, Any]:
    """Open a bundle, find rows by name, gather rows, and solve."""
    before = _memory()
    cpu_start = time.process_time()
    start = time.perf_counter()
    bundle = Bundle.open(path)
    names = RowNames(bundle.identifiers)
    first = names.row("00000001")
    opened: dict[str, Any] = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu_start,
        **_growth(before, _memory()),
    }
    assert first == 1
    count = bundle.config.num_puzzle_identifiers
    rows = random.Random(0).sample(range(1, count), _LOOKUPS)
    wanted = [row_name(row) for row in rows]
    start = time.perf_counter()
    found = names.rows(wanted)
    lookup_seconds = time.perf_counter() - start
    assert found.tolist() == rows
    tokens = np.ones(bundle.config.seq_len, np.int32)
    with bundle.solver(batch=_PUZZLES, threads=1) as solver:
        solved = sum(1 for _ in solver.solve(Puzzle(tokens, row) for row in rows[:_PUZZLES]))
    assert solved == _PUZZLES
    used = _growth(before, _memory())
    table = bundle.puzzle_embeddings()
    assert table is not None
    start = time.perf_counter()
    gathered = np.asarray(table[found])
    gather_seconds = time.perf_counter() - start
    assert gathered.shape == (_LOOKUPS, bundle.config.puzzle_emb_ndim)
    return {
        "open": opened,
        "lookup_seconds": lookup_seconds,
        "gather_seconds": gather_seconds,
        "used": used,
        "gathered": _growth(before, _memory()),
    }


def read_packed(count: str) -> dict[str, Any]:
    """Unpack as many names from gzip, as bundles of few rows store them."""
    names = [row_name(row) for row in range(int(count))]
    content = pack_names(names)
    del names
    before = _memory()
    cpu_start = time.process_time()
    start = time.perf_counter()
    unpacked = RowNames(lambda: unpack_names(content, int(count)))
    assert unpacked.row(row_name(1)) == 1
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu_start,
        **_growth(before, _memory()),
    }


def verify(path: str) -> dict[str, Any]:
    """Hash every file of a bundle and check its names."""
    bundle = Bundle.open(path)
    before = _memory()
    cpu_start = time.process_time()
    start = time.perf_counter()
    size = bundle.verify()
    seconds = time.perf_counter() - start
    cpu_seconds = time.process_time() - cpu_start
    growth = _growth(before, _memory())
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "bytes": size, **growth}


def row_name(row: int) -> str:
    """Name a row as the ARC dataset builder does: a task, then its augmentations.

    Args:
        row: number of the row; row 0 is blank.
    """
    if row == 0:
        return "<blank>"
    task = f"{(row - 1) // 1001 + 1:08x}"
    variant = (row - 1) % 1001
    if variant == 0:
        return task
    return f"{task}|||t{variant % 8}|||0{_PERMUTATIONS[variant]}"


def _memory() -> dict[str, int]:
    """Bytes that the process holds."""
    values = {}
    for line in Path("/proc/self/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key in ("VmRSS", "RssAnon"):
            name = "resident" if key == "VmRSS" else "anonymous"
            values[name] = int(value.split()[0]) * 1024
    return values


def _growth(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    return {f"{key}_bytes": after[key] - before[key] for key in before}


if __name__ == "__main__":
    main()
