"""Record a bundle's answers, in the interpreter of the CPU that computes them.

    python record.py BUNDLE PRECISION PUZZLES STEPS FILE

PRECISION is ``int8`` (the bundle's target ``cpu``) or ``float32`` (its reference graph). Writes
parity vectors to FILE and prints the peak memory in bytes. Needs trm-edge alone.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from trm_edge.backends.base import Backend
from trm_edge.bundle import Bundle
from trm_edge.errors import BundleError
from trm_edge.evaluation.footprint import peak
from trm_edge.evaluation.recording import record_vectors
from trm_edge.evaluation.steps import float32_backend

SLOTS = 16
_SMAPS = Path("/proc/thread-self/smaps")


def main(bundle: str, precision: str, puzzles: str, steps: str, file: str) -> None:
    """Solve the first held-out puzzles.

    Args:
        bundle: folder of the bundle.
        precision: ``int8`` or ``float32``.
        puzzles: number of held-out puzzles.
        steps: number of ACT steps.
        file: for the vectors.
    """
    opened = Bundle.open(Path(bundle))
    reference = opened.parity().first(int(puzzles))
    backend = _backend(opened, precision)
    backend.config = replace(backend.config, halt_max_steps=int(steps))
    vectors = record_vectors(
        backend,
        opened.puzzle_embeddings(),
        reference.puzzles(),
        reference.labels,
        batch=min(SLOTS, len(reference)),
    )
    vectors.save(Path(file))
    print(peak() - translated_code())


def _backend(bundle: Bundle, precision: str) -> Backend:
    if precision == "int8":
        return bundle.backend("cpu", threads=1)
    backend = float32_backend(bundle, threads=1)
    if backend is None:
        raise BundleError(f"{bundle.path} has no float32 graph. Export it with --float32.")
    return backend


def translated_code() -> int:
    """Measure the emulator's translated code: memory that may be both written and executed.

    QEMU shows processes their own ``/proc/self``, but not this path.

    Returns:
        Its resident bytes; 0 where nothing is emulated.
    """
    if not _SMAPS.exists():
        return 0
    resident = 0
    is_code = False
    for line in _SMAPS.read_text().splitlines():
        words = line.split()
        if words[0] == "Rss:" and is_code:
            resident += 1024 * int(words[1])
        elif not words[0].endswith(":"):
            is_code = words[1].startswith("rwx")
    return resident


if __name__ == "__main__":
    main(*sys.argv[1:])
