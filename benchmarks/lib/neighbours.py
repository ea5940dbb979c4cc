"""Others on the machine, as a shared runner has them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from trm_edge.backends.onnxruntime import available_cores

# Now heavy arithmetic, now a walk through memory, now nothing: a neighbour that is never the same.
_NEIGHBOUR = """
import random, time
import numpy as np
a, b = np.ones((600, 600), np.float32), np.ones(20_000_000, np.float32)
while True:
    end = time.perf_counter() + random.uniform(0.05, 1.5)
    kind = random.randrange(3)
    while time.perf_counter() < end:
        (a @ a) if kind == 0 else b.sum() if kind == 1 else time.sleep(0.01)
"""


@contextmanager
def neighbours() -> Iterator[None]:
    """One beside this process for each core."""
    command = [sys.executable, "-c", _NEIGHBOUR]
    beside = [subprocess.Popen(command) for _ in range(available_cores())]
    time.sleep(1)  # until they are at work
    try:
        yield
    finally:
        for process in beside:
            process.kill()
            process.wait()
