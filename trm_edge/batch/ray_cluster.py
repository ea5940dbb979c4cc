"""Ray on this machine, or the cluster that it is part of."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ray

from trm_edge.batch.worker_plan import HOST_CPUS, NodeSize
from trm_edge.errors import ConfigError
from trm_edge.threads import available_cores

logger = logging.getLogger(__name__)

LOCAL = "local"  # address: start Ray here, for this run alone
_NO_REPORTS_HOME = {"RAY_USAGE_STATS_ENABLED": "0"}  # unless the user sets it


@contextmanager
def ray_cluster(address: str = LOCAL, metrics_port: int | None = None) -> Iterator[None]:
    """Start Ray, or join a cluster, until the block ends. A process that has joined one stays.

    Ray's own lines stay in its log files, under ``/tmp/ray`` or ``RAY_TMPDIR``. What it tells the
    driver, such as that a worker died, is logged.

    Args:
        address: ``local`` to start Ray on this machine, ``auto`` for the cluster that runs here, or
            host and port of one.
        metrics_port: where Ray that is started here serves metrics; None: a free one.

    Raises:
        ConfigError: no cluster answers there, or the port goes with one that runs already.
    """
    if ray.is_initialized():
        yield
        return
    if metrics_port is not None and address != LOCAL:
        raise ConfigError(
            f"the exporter of the Ray cluster {address} has its port already: it is the one of ray "
            "start --metrics-export-port. Leave --metrics-port out."
        )
    with _notices_logged():
        _init(address, metrics_port)
        try:
            yield
        finally:
            ray.shutdown()


@contextmanager
def _notices_logged() -> Iterator[None]:
    """Log what Ray would print to standard output, whatever its settings, until the block ends."""
    worker = ray._private.worker
    printer = getattr(worker, "print_to_stdstream", None)
    if printer is None:  # another release of Ray
        yield
        return
    worker.print_to_stdstream = _log_notice
    try:
        yield
    finally:
        worker.print_to_stdstream = printer


def _log_notice(data: Mapping[str, Any], ignore_prefix: bool = False) -> None:
    for notice in data["lines"]:
        logger.info("Ray: %s", str(notice).strip().partition("\n")[0])


def _init(address: str, metrics_port: int | None) -> None:
    for name, value in _NO_REPORTS_HOME.items():
        os.environ.setdefault(name, value)
    try:
        if address == LOCAL:
            # Reading and writing get CPUs of their own in Ray's books, since they take little.
            ray.init(
                address=LOCAL,
                num_cpus=available_cores() + int(HOST_CPUS),
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _metrics_export_port=metrics_port,
            )
        else:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        if address == LOCAL:
            raise ConfigError(
                f"Ray does not start on this machine: {reason}. Where the machine is busy, start "
                "Ray beforehand with ray start --head, and pass --ray auto."
            ) from error
        if _is_about_token(error):
            raise ConfigError(
                f"the Ray cluster at {address} does not accept the token of this machine: "
                f"{reason}. Pass the cluster's own as RAY_AUTH_TOKEN, with RAY_AUTH_MODE=token."
            ) from error
        raise ConfigError(
            f"no Ray cluster answers at {address}: {reason}. Start one with ray start --head, or "
            "leave the address out, and Ray is started here."
        ) from error


def _is_about_token(error: Exception) -> bool:
    """Tell whether a cluster answers, but wants another token, by the only signs of Ray."""
    said = f"{type(error).__name__} {error}"
    return "AuthToken" in said or "Authentication" in said or "authentication token" in said


def cluster_nodes() -> list[NodeSize]:
    """List the machines of the cluster that this process has joined."""
    nodes = []
    for node in ray.nodes():  # type: ignore[no-untyped-call]
        if node["Alive"]:
            resources = node["Resources"]
            nodes.append(NodeSize(resources.get("CPU", 0.0), resources.get("GPU", 0.0)))
    return nodes


def free_resources() -> NodeSize:
    """Sum up what nothing on the cluster has reserved."""
    free = ray.available_resources()  # type: ignore[no-untyped-call]
    return NodeSize(free.get("CPU", 0.0), free.get("GPU", 0.0))
