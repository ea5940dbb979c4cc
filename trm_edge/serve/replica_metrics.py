"""The metrics of all replicas as one text: every series with the name of its replica."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

LABEL = "replica"


def merge_metrics(own: CollectorRegistry, texts: Mapping[str, str]) -> bytes:
    """Add the series of replicas to those of the process that listens.

    A label rather than a sum: the count of a replica that has died would be missing from a sum,
    which for Prometheus may only grow.

    Args:
        own: metrics of this process, which replicas have too but without counting them.
        texts: Prometheus's text format, by the name of the replica.

    Returns:
        Prometheus's text format.
    """
    counted = {metric.name for metric in own.collect()}
    merged: dict[str, Metric] = {}
    for replica, text in texts.items():
        for family in text_string_to_metric_families(text):
            if family.name in counted:
                continue
            metric = merged.setdefault(
                family.name, Metric(family.name, family.documentation, family.type)
            )
            for sample in family.samples:
                labels = {**sample.labels, LABEL: replica}
                metric.samples.append(sample._replace(labels=labels))
    registry = CollectorRegistry()
    registry.register(_Families(merged.values()))
    return generate_latest(own) + generate_latest(registry)


class _Families:
    """Hands out families that were collected elsewhere."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families
