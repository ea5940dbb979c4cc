"""What a benchmark's page says of the machine."""

from __future__ import annotations

import torch

from trm_edge.evaluation.machine import Machine


def machine_line(threads: int) -> str:
    """One line, taken before anything is timed."""
    return f"{Machine.current()}, {threads} threads, torch {torch.__version__}"
