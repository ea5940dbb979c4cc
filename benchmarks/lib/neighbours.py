"""Load from other processes, as on a shared runner."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from trm_edge.threads import available_cores

# Alternates between arithmetic, memory traffic and sleep, so that the load keeps changing.
_NEIGHBOUR = """
import random, time
import numpy as np
matrix, vector = np.ones((600, 600), np.float32), np.ones(20_000_000, np.float32)
while True:
    end = time.perf_counter() + random.uniform(0.05, 1.5)
    activity = random.randrange(3)
    while time.perf_counter() < end:
        if activity == 0:
            matrix @ matrix
        elif activity == 1:
            vector.sum()
        else:
            time.sleep(0.01)
"""


@contextmanager
def neighbours() -> Iterator[None]:
    """Keep one busy process for each core beside this one."""
    command = [sys.executable, "-c", _NEIGHBOUR]
    processes = [subprocess.Popen(command) for _ in range(available_cores())]
    time.sleep(1)  # until they are busy
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
