"""The line that describes the machine on a benchmark's page."""

from __future__ import annotations

import torch

from trm_edge.evaluation.machine import Machine


def machine_line(threads: int) -> str:
    """Describe the machine; call it before anything is timed, since the load is part of it.

    Args:
        threads: CPU threads that the benchmark uses.
    """
    return f"{Machine.current()}, {threads} threads, torch {torch.__version__}"
