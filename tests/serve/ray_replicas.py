"""Replicas for tests with Ray, and what a test does to them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.toys import BASE
from trm_edge.backends.base import HaltingLogits
from trm_edge.backends.fake import FakeBackend
from trm_edge.bundle import Bundle
from trm_edge.serve.ray_replica import Replica, replica_name
from trm_edge.serve.replica_options import ReplicaOptions
from trm_edge.serve.service import Service

GATE = "gate"  # file in the folder of the bundle: while it is there, no step ends
_LOOK = 0.01  # seconds between two looks


class FileGatedBackend(FakeBackend):
    """Ends a step only while there is no gate, so that tests in other processes can hold it.

    Args:
        gate: path of the file.
    """

    def __init__(self, gate: Path) -> None:
        super().__init__(BASE)
        self._gate = gate

    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        while tokens.any() and self._gate.exists():
            time.sleep(_LOOK)
        return super().step(tokens, puzzle_embedding, reset)


class GatedReplica(Replica):
    """A replica whose engine computes nothing, and waits while there is a gate.

    Args:
        options: the bundle's folder has the gate.
    """

    def __init__(self, options: ReplicaOptions) -> None:
        self._name = replica_name()
        self._service = Service(
            Bundle.open(options.bundle),
            slots=options.slots,
            limits=options.limits,
            backend=FileGatedBackend(options.bundle / GATE),
        )
        self._service.__enter__()


def process_of(state: Any) -> int:
    """Return the process of a replica.

    Args:
        state: of the replica.
    """
    return int(state.name.rpartition(":")[2])
