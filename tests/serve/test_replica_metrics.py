"""The metrics of several replicas in one text."""

from __future__ import annotations

import pytest

pytest.importorskip("prometheus_client", reason="needs pip install 'trm-edge[serve]'")

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from trm_edge.serve.replica_metrics import merge_metrics
from trm_edge.serve.request_metrics import RequestMetrics


def replica_text(puzzles: int) -> str:
    registry = CollectorRegistry()
    RequestMetrics(registry)  # which a replica has, and does not count
    counter = Counter("puzzles", 'Solved "ones".', ["outcome"], registry=registry)
    counter.labels('an "odd"\noutcome').inc(puzzles)
    Gauge("slots", "Slots.", registry=registry).set(4)
    Histogram("steps", "Steps.", buckets=(1, 2), registry=registry).observe(puzzles)
    return generate_latest(registry).decode()


@pytest.fixture
def merged() -> str:
    own = CollectorRegistry()
    requests = RequestMetrics(own)
    requests.count(200, 0.5)
    requests.count(429, 0.1)
    return merge_metrics(own, {"a:1": replica_text(1), "b:2": replica_text(2)}).decode()


def test_series_of_replicas_have_their_names(merged: str) -> None:
    families = {family.name: family for family in text_string_to_metric_families(merged)}
    counts = {}
    for sample in families["puzzles"].samples:
        if sample.name == "puzzles_total":
            assert sample.labels["outcome"] == 'an "odd"\noutcome'
            counts[sample.labels["replica"]] = sample.value
    assert counts == {"a:1": 1.0, "b:2": 2.0}
    assert families["puzzles"].type == "counter"
    assert families["steps"].type == "histogram"
    assert 'steps_bucket{le="1.0",replica="a:1"} 1.0' in merged
    assert 'steps_bucket{le="1.0",replica="b:2"} 0.0' in merged
    assert 'slots{replica="b:2"} 4.0' in merged


def test_a_family_stands_there_once(merged: str) -> None:
    for name in ("puzzles_total", "slots", "steps", "trm_edge_requests_total"):
        assert merged.count(f"# TYPE {name} ") == 1


def test_requests_are_counted_by_the_process_that_listens(merged: str) -> None:
    assert 'trm_edge_requests_total{status="200"} 1.0' in merged
    assert 'trm_edge_requests_total{status="429"} 1.0' in merged
    assert "trm_edge_request_seconds_count 1.0" in merged  # of those that were solved
    assert "trm_edge_request_seconds_count{" not in merged


def test_no_replica_runs() -> None:
    own = CollectorRegistry()
    RequestMetrics(own).count(503, 0.0)
    assert merge_metrics(own, {}) == generate_latest(own)
