"""Joining a Ray cluster, and what is said where that fails."""

from __future__ import annotations

import pytest

pytest.importorskip("ray.data", reason="needs the extra ray")

import ray

from trm_edge.batch.ray_cluster import LOCAL, ray_cluster
from trm_edge.errors import ConfigError


@pytest.mark.parametrize(
    ("address", "error", "advice"),
    [
        (LOCAL, RuntimeError("node timed out"), "node timed out. Where the machine is busy"),
        (
            "10.0.0.1:6379",
            ConnectionError("refused.\nmore"),
            "at 10.0.0.1:6379: refused. Start one",
        ),
        (
            "10.0.0.1:6379",
            RuntimeError("Unauthenticated: InvalidAuthToken: wrong token"),
            "does not accept the token.*RAY_AUTH_TOKEN",
        ),
    ],
)
def test_a_cluster_that_cannot_be_joined_is_explained(
    monkeypatch: pytest.MonkeyPatch, address: str, error: Exception, advice: str
) -> None:
    def init(**options: object) -> None:
        raise error

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(ConfigError, match=advice), ray_cluster(address):
        pass


def test_what_ray_tells_the_driver_is_logged(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(ray, "init", lambda **options: None)
    printer = ray._private.worker.print_to_stdstream
    notice = {"lines": ["a worker died\nand more"], "pid": "raylet", "is_err": False}
    with caplog.at_level("INFO", logger="trm_edge"), ray_cluster():
        ray._private.worker.print_to_stdstream(notice, ignore_prefix=False)
    assert ray._private.worker.print_to_stdstream is printer
    assert capsys.readouterr().out == ""
    assert "Ray: a worker died" in caplog.messages


def test_a_cluster_that_runs_keeps_its_metrics_port() -> None:
    with pytest.raises(ConfigError, match="Leave --metrics-port out"), ray_cluster("auto", 8080):
        pass
