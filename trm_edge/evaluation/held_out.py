"""A bundle's held-out puzzles, solved again by one of its targets."""

from __future__ import annotations

from dataclasses import dataclass

from trm_edge.bundle import Bundle
from trm_edge.evaluation.floor import NumericsFloor
from trm_edge.evaluation.parity import ParityReport, compare
from trm_edge.evaluation.random_tokens import are_random
from trm_edge.evaluation.recording import record_vectors
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.progress import Track, silent


@dataclass(frozen=True)
class HeldOutRun:
    """Answers of a target to the held-out puzzles beside those of the float32 model.

    Args:
        target: name of the target.
        precision: precision of the target, from the manifest.
        engine: description of what ran the target.
        reference: the float32 model's answers.
        candidate: the target's answers to the same puzzles.
        random_tokens: the puzzles are random tokens, which show agreement and no accuracy.
        floor: what float arithmetic alone changes; None where the bundle does not record it.
    """

    target: str
    precision: str
    engine: str
    reference: ParityVectors
    candidate: ParityVectors
    random_tokens: bool = False
    floor: NumericsFloor | None = None

    def report(self) -> ParityReport:
        """Compare both, puzzle by puzzle."""
        return compare(self.reference, self.candidate, self.floor)


def solve_held_out(
    bundle: Bundle,
    target: str | None = None,
    *,
    puzzles: int | None = None,
    threads: int = 0,
    track: Track = silent,
    description: str | None = None,
) -> HeldOutRun:
    """Solve the held-out puzzles with a target, for all steps.

    Args:
        bundle: the bundle.
        target: name of the target; by default as in :meth:`Bundle.target`.
        puzzles: only the first puzzles, this many; all by default.
        threads: CPU threads; 0: every core.
        track: reports progress.
        description: label of the progress; target and precision by default.

    Raises:
        BundleError: there is no such target, or the bundle's vectors are damaged.
        EngineError: the target has an engine that does not fit this machine.
        BackendError: the engine failed.
    """
    name, record = bundle.target(target)
    reference = bundle.parity()
    if puzzles is not None:
        reference = reference.first(puzzles)
    backend = bundle.backend(name, threads=threads)
    candidate = record_vectors(
        backend,
        bundle.puzzle_embeddings(),
        reference.puzzles(),
        reference.labels,
        track=track,
        description=description or f"{name}, {record.precision}",
    )
    return HeldOutRun(
        target=name,
        precision=record.precision,
        engine=backend.describe(),
        reference=reference,
        candidate=candidate,
        random_tokens=are_random(reference, bundle.manifest.model),
        floor=bundle.floor(),
    )
