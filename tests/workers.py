"""Workers of pytest-xdist: cores of their own, and folders that they share.

``make test`` runs the suite in several processes. Without these functions each of them would start
a thread for every core, and export the same bundles again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from trm_edge.threads import available_cores


def cores_of_worker(cores: list[int], index: int, count: int) -> set[int]:
    """Share the cores of a machine out among workers.

    Args:
        cores: numbers of the cores that this process may use.
        index: of the worker, from 0.
        count: number of workers.

    Returns:
        The worker's cores, at least one. Workers share cores only if there are more of them than
        cores.
    """
    own = set(cores[index::count])
    return own or {cores[index % len(cores)]}


def keep_to_own_cores(config: pytest.Config) -> None:
    """Restrict a worker and all that it starts to its share of the cores.

    Thread counts follow from it: PyTorch's, and those that trm-edge asks of ONNX Runtime. Nothing
    happens in a run without workers.

    Args:
        config: pytest's configuration in this process.
    """
    worker: dict[str, object] | None = getattr(config, "workerinput", None)
    if worker is None:
        return
    if hasattr(os, "sched_setaffinity"):
        index = int(str(worker["workerid"]).removeprefix("gw"))
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores_of_worker(cores, index, int(str(worker["workercount"]))))
        torch.set_num_threads(available_cores())
    else:
        torch.set_num_threads(1)


def shared_folder(
    factory: pytest.TempPathFactory, name: str, fill: Callable[[Path], object]
) -> Path:
    """Fill a folder in the first worker that needs it, and let the others wait for it.

    Args:
        factory: pytest's temporary folders.
        name: of the folder, unique in the suite.
        fill: writes the files, into the empty folder that it is called with.

    Returns:
        The folder; its files are for reading only.
    """
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # that of the run, where each worker has a folder
    folder = root / f"shared-{name}"
    with FileLock(f"{folder}.lock"):
        filled = folder.with_name(f"{folder.name}.filled")
        if not filled.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed halfway
            folder.mkdir()
            fill(folder)
            filled.touch()
    return folder
