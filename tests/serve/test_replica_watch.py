"""What is known of the replicas when some have died."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from trm_edge.serve.ray_replica import ReplicaState
from trm_edge.serve.replica_watch import ReplicaWatch
from trm_edge.serve.replies import Health, Status

NEVER = 1000.0


def state(name: str, status: Status = "ready", waiting: int = 0) -> ReplicaState:
    return ReplicaState(name, Health(status, waiting, in_flight=2))


class Replicas:
    """Answers that a test sets."""

    def __init__(self, *states: ReplicaState) -> None:
        self.states: Sequence[ReplicaState] = states
        self.error: Exception | None = None

    def __call__(self) -> Sequence[ReplicaState]:
        if self.error is not None:
            raise self.error
        return self.states


def test_one_ready_replica_is_enough() -> None:
    replicas = Replicas(state("a", waiting=3), state("b", "failed", waiting=4))
    with ReplicaWatch(replicas, 2, NEVER) as watch:
        assert watch.health() == Health("ready", waiting=7, in_flight=4)
        replicas.states = [state("b", "failed")]
        watch.refresh()
        assert watch.health().status == "replacing"
        replicas.states = []
        watch.refresh()
        assert watch.health() == Health("replacing", 0, 0)


def test_what_is_not_answered_changes_nothing() -> None:
    replicas = Replicas(state("a"))
    with ReplicaWatch(replicas, 1, NEVER) as watch:
        replicas.error = TimeoutError("a replica hangs")
        watch.refresh()
        assert watch.health().status == "ready"


def test_losses_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "trm_edge")
    replicas = Replicas(state("a"), state("b"))
    with ReplicaWatch(replicas, 2, NEVER) as watch:
        assert not caplog.messages
        replicas.states = [state("a")]
        watch.refresh()
        watch.refresh()
        replicas.states = [state("a"), state("c")]
        watch.refresh()
    assert caplog.messages == ["1 of 2 replicas work", "2 of 2 replicas work"]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_it_asks_again_and_again() -> None:
    replicas = Replicas()
    with ReplicaWatch(replicas, 1, period=0.001) as watch:
        assert watch.health().status == "replacing"
        replicas.states = [state("a")]
        while watch.health().status != "ready":
            pass
