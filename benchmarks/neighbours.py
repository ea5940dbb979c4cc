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
def neighbours(*, busy: bool = True) -> Iterator[None]:
    """One beside this process for each core; none unless ``busy``."""
    count = available_cores() if busy else 0
    beside = [subprocess.Popen([sys.executable, "-c", _NEIGHBOUR]) for _ in range(count)]
    time.sleep(1 if busy else 0)
    try:
        yield
    finally:
        for process in beside:
            process.kill()
            process.wait()
