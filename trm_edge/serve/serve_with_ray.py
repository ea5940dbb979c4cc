"""``trm-edge serve --ray``: the same server, in front of replicas on a Ray cluster."""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass, replace

from trm_edge.bundle import Bundle
from trm_edge.loop.halting import HaltingRule
from trm_edge.serve.openapi import openapi_document
from trm_edge.serve.ray_serve_extra import require_ray_serve_extra
from trm_edge.serve.replica_options import ReplicaOptions
from trm_edge.serve.server import run_server

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RayOptions:
    """Where replicas run, and how many.

    Args:
        address: ``local`` to start Ray on this machine, ``auto`` for the cluster that runs here, or
            host and port of one.
        replicas: how many; None: as many as the cluster has GPUs, or else one for every few CPUs.
    """

    address: str
    replicas: int | None = None


def serve_with_ray(
    bundle: Bundle, options: ReplicaOptions, ray: RayOptions, listener: socket.socket, host: str
) -> int:
    """Serve with replicas until a signal comes and what is there is answered.

    Args:
        bundle: opened.
        options: of each replica; its threads may be 0.
        ray: where the replicas run.
        listener: an open socket.
        host: that it was opened for.

    Returns:
        Requests that the stop ended without an answer.

    Raises:
        MissingExtraError: Ray Serve is not installed.
        ConfigError: no cluster answers, or it has too little for the replicas.
        TrmEdgeError: a replica cannot load the bundle.
    """
    require_ray_serve_extra()
    from trm_edge.batch.ray_cluster import LOCAL, cluster_nodes, free_resources, ray_cluster
    from trm_edge.batch.worker_plan import HOST_CPUS
    from trm_edge.serve.ray_deployment import (
        application_name,
        deploy_replicas,
        describe_on_cluster,
        reserved_application,
    )
    from trm_edge.serve.ray_handler import RayHandler
    from trm_edge.serve.replica_plan import plan_replicas

    bundle.target(options.target)  # what can be refused at once need not wait for Ray
    halting = HaltingRule.from_config(bundle.config, max_steps=options.max_steps)
    document = openapi_document(options.limits, bundle.config, halting)
    host_cpus = HOST_CPUS if ray.address == LOCAL else 0.0
    name = application_name(options)
    with ray_cluster(ray.address), reserved_application(name):
        plan = plan_replicas(
            cluster_nodes(), free_resources(), ray.replicas, options.threads, host_cpus=host_cpus
        )
        options = replace(options, threads=plan.threads)
        served = describe_on_cluster(options, plan)
        logger.info("%d replicas with %d threads each: %s", plan.count, plan.threads, served.engine)
        handle = deploy_replicas(name, replace(options, engine=served.engine), plan)
        with RayHandler(handle, served, document, options.limits, plan.count) as handler:
            return run_server(handler, listener, host, f"{bundle.path} with Ray")
