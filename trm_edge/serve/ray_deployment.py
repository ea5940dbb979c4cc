"""Replicas as an application of Ray Serve, for as long as a server runs."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray import serve
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException
from ray.serve.schema import LoggingConfig

from trm_edge.batch.ray_errors import our_message, raised_error, reason_line
from trm_edge.batch.worker_plan import WorkerPlan
from trm_edge.errors import BackendError, ConfigError, TrmEdgeError
from trm_edge.serve.ray_replica import Replica, describe_replica
from trm_edge.serve.replica_options import ReplicaOptions
from trm_edge.serve.replies import ServedBundle

logger = logging.getLogger(__name__)

NAMESPACE = "trm-edge"  # of the names that servers hold
_CONTROLLER = "SERVE_CONTROLLER_ACTOR"
_SPARE_REQUESTS = 64  # of a replica, for those that it refuses
_HEALTH_SECONDS = 1.0  # between two checks; three failures in a row replace a replica
_START_TRIES = 3
_REPORT_SECONDS = 10.0  # between two lines while replicas start
_QUIET = LoggingConfig(log_level="ERROR", enable_access_log=False)


class NameHolder:
    """Lives as long as the server that made it, and holds the name of its application."""


def application_name(options: ReplicaOptions) -> str:
    """Name the application of a bundle on a cluster.

    Args:
        options: of its replicas.
    """
    return "trm-edge-" + re.sub(r"[^A-Za-z0-9_.-]", "-", options.bundle.name)


def describe_on_cluster(options: ReplicaOptions, plan: WorkerPlan) -> ServedBundle:
    """Load the bundle where a replica would, and describe it.

    Args:
        options: of the replicas.
        plan: of the replicas.

    Raises:
        TrmEdgeError: no replica could be made there.
    """
    task = ray.remote(num_cpus=plan.cpus, num_gpus=plan.gpus, max_calls=1)(describe_replica)
    try:
        served: ServedBundle = ray.get(task.remote(options))
    except RayError as error:
        raise _plain(error) from error
    return served


@contextmanager
def reserved_application(name: str) -> Iterator[None]:
    """Hold the name of an application until the block ends, and remove what then has it.

    Ray Serve starts no HTTP proxies: the process that calls this listens itself, where it was told
    to, while a proxy would listen on machines of the cluster.

    Args:
        name: of the application.

    Raises:
        ConfigError: another server has the name.
    """
    holder = _hold(name)
    try:
        with _running_serve(name):
            yield
    finally:
        ray.kill(holder)


@contextmanager
def _running_serve(name: str) -> Iterator[None]:
    """Run Ray Serve, where nobody else does, until the block ends."""
    was_running = _serve_runs()
    logging.getLogger("ray.serve").setLevel(logging.CRITICAL)
    serve.start(proxy_location="Disabled", logging_config=_QUIET)
    applications = set(serve.status().applications)
    is_ours = not was_running or applications == {name}
    try:
        if name in applications:
            logger.warning("removing the replicas that a killed server has left")
            serve.delete(name)
        yield
    finally:
        if name in serve.status().applications:
            serve.delete(name)
        if is_ours and not serve.status().applications:
            serve.shutdown()  # type: ignore[no-untyped-call]


def deploy_replicas(
    name: str, options: ReplicaOptions, plan: WorkerPlan, replica: type = Replica
) -> Any:
    """Start replicas, and wait until all run.

    Args:
        name: of the application, reserved.
        options: of each replica.
        plan: how many, and what each reserves.
        replica: their class, which is made from the options.

    Returns:
        Ray Serve's handle.

    Raises:
        TrmEdgeError: the replicas cannot be started.
    """
    capacity = options.limits.queue + options.slots
    deployment = serve.deployment(
        name="Replica",
        num_replicas=plan.count,
        max_ongoing_requests=capacity + _SPARE_REQUESTS,
        ray_actor_options={"num_cpus": plan.cpus, "num_gpus": plan.gpus},
        health_check_period_s=_HEALTH_SECONDS,
        graceful_shutdown_wait_loop_s=0.1,
        graceful_shutdown_timeout_s=options.limits.grace_seconds,
        max_constructor_retry_count=_START_TRIES,
    )
    application = deployment(replica).bind(options)
    try:
        with _progress(name, plan.count):
            return serve.run(application, name=name, route_prefix=None, logging_config=_QUIET)
    except (RayError, RayServeException, RuntimeError, TimeoutError) as error:
        raise _plain(error, _said_by_replicas(name)) from error


def _hold(name: str) -> Any:
    """Hold a name on the cluster, so that two servers do not replace each other's replicas."""
    actor = ray.remote(num_cpus=0)(NameHolder).options(name=name, namespace=NAMESPACE)
    try:
        return actor.remote()
    except ValueError as error:
        raise ConfigError(
            f"a server of the application {name} runs on this Ray cluster already. Stop it first, "
            "or serve a bundle with another name."
        ) from error


def _serve_runs() -> bool:
    """Tell whether the cluster has an instance of Ray Serve, which is then somebody else's."""
    actors = ray.util.list_named_actors(all_namespaces=True)
    return any(actor["name"] == _CONTROLLER for actor in actors)


@contextmanager
def _progress(name: str, count: int) -> Iterator[None]:
    """Say every few seconds how many replicas run, until the block ends."""
    ended = threading.Event()

    def report() -> None:
        while not ended.wait(_REPORT_SECONDS):
            running = running_replicas(name)
            logger.info("%d of %d replicas run; the others are being started", running, count)

    reporter = threading.Thread(target=report, name="trm-edge-start", daemon=True)
    reporter.start()
    try:
        yield
    finally:
        ended.set()


def running_replicas(name: str) -> int:
    """Count the replicas of an application that run.

    Args:
        name: of the application.
    """
    application = serve.status().applications.get(name)
    if application is None:
        return 0
    running = 0
    for deployment in application.deployments.values():
        for state, count in deployment.replica_states.items():
            if state == "RUNNING":
                running += count
    return running


def _said_by_replicas(name: str) -> str:
    """Return what the replicas of an application said when they could not start."""
    application = serve.status().applications.get(name)
    if application is None:
        return ""
    return "\n".join(deployment.message for deployment in application.deployments.values())


def _plain(error: BaseException, said: str = "") -> TrmEdgeError:
    """Find what a replica said behind an error of Ray, whose own words may only say that it did."""
    raised = raised_error(error)
    if raised is not None:
        return raised
    reason = reason_line(said) or reason_line(str(error)) or type(error).__name__
    message = our_message(reason)
    if message is not None:
        return BackendError(message)
    return BackendError(f"the replicas cannot be started: {reason}")
