"""The command ``trm-edge serve``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from trm_edge.bundle import Bundle
from trm_edge.cli.command import Command, exit_code_list
from trm_edge.cli.options import FiniteRange, bundle_argument, target_option, threads_option
from trm_edge.cli.parquet_options import LOCAL

_EPILOG = exit_code_list(
    {
        "0": "stopped by SIGTERM or Ctrl-C, after every accepted request was answered",
        "1": "failed, such as the engine, or the grace period ended before a request did",
        "2": "misused: an unknown option, or options that do not go together",
    }
)


@click.command("serve", cls=Command, epilog=_EPILOG)
@bundle_argument
@target_option
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Listen on this address; 0.0.0.0 is reached from other machines.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    metavar="N",
    help="Listen on this port; 0 takes a free one.",
)
@click.option(
    "--batch",
    type=click.IntRange(1),
    default=32,
    show_default=True,
    metavar="SLOTS",
    help="Puzzles worked on at once, of all requests.",
)
@threads_option
@click.option(
    "--ray",
    is_flag=False,
    flag_value=LOCAL,
    metavar="[ADDRESS]",
    help="Solve with replicas on Ray Serve, on this machine or on the cluster at ADDRESS "
    "(HOST:PORT, or auto for the one that runs here). --batch, --threads and --queue are then "
    "those of each replica.",
)
@click.option(
    "--replicas",
    type=click.IntRange(1),
    metavar="N",
    show_default="one on each GPU, or else for every 4 CPUs",
    help="With --ray: replicas, each with an engine and a halting loop of its own.",
)
@click.option(
    "--max-steps",
    type=click.IntRange(1),
    metavar="N",
    show_default="the model's own",
    help="Allow requests to ask for up to N steps; also what they get by default.",
)
@click.option(
    "--max-rollouts",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    metavar="K",
    help="Allow requests to ask for up to K tries at each puzzle.",
)
@click.option(
    "--queue",
    type=click.IntRange(1),
    default=1024,
    show_default=True,
    metavar="N",
    help="Refuse requests with 429 rather than let more than N puzzles wait for a slot.",
)
@click.option(
    "--max-puzzles",
    type=click.IntRange(1),
    default=256,
    show_default=True,
    metavar="N",
    help="Refuse requests with more than N puzzles.",
)
@click.option(
    "--max-body-bytes",
    type=click.IntRange(1),
    default=1 << 20,
    show_default=True,
    metavar="N",
    help="Refuse requests whose body is larger.",
)
@click.option(
    "--max-seconds",
    type=FiniteRange(0, min_open=True),
    default=30.0,
    show_default=True,
    metavar="T",
    help="Answer a request within T seconds, waiting included; requests may ask for less.",
)
@click.option(
    "--grace-seconds",
    type=FiniteRange(0, min_open=True),
    default=30.0,
    show_default=True,
    metavar="T",
    help="When stopped, finish what is there for up to T seconds.",
)
def command(
    bundle: Path,
    target: str | None,
    host: str,
    port: int,
    batch: int,
    threads: int,
    ray: str | None,
    replicas: int | None,
    max_steps: int | None,
    max_rollouts: int,
    queue: int,
    max_puzzles: int,
    max_body_bytes: int,
    max_seconds: float,
    grace_seconds: float,
) -> None:
    """Serve a bundle over HTTP.

    POST /solve solves puzzles; /openapi.json describes it. The puzzles of all requests share the
    slots of one halting loop. /healthz, /readyz and /metrics are for those who run it. There is no
    authentication and no encryption: for anything but this machine, put a proxy in front that has
    both.

    \b
    trm-edge serve my-bundle
    trm-edge serve my-bundle --port 9000 --batch 64 --max-seconds 5
    trm-edge serve my-bundle --ray --replicas 2
    """
    if replicas is not None and ray is None:
        raise click.UsageError("--replicas belongs to a server with Ray: add --ray.")
    from trm_edge.serve.extra import require_serve_extra
    from trm_edge.serve.limits import Limits

    require_serve_extra()
    from trm_edge.serve.replica_options import ReplicaOptions
    from trm_edge.serve.serve_with_ray import RayOptions, serve_with_ray
    from trm_edge.serve.server import open_socket, run_server

    limits = Limits(
        queue=queue,
        puzzles=max_puzzles,
        body_bytes=max_body_bytes,
        seconds=max_seconds,
        rollouts=max_rollouts,
        grace_seconds=grace_seconds,
    )
    opened = Bundle.open(bundle)
    options = ReplicaOptions.of(
        opened, target, slots=batch, threads=threads, max_steps=max_steps, limits=limits
    )
    if ray is not None:
        with open_socket(host, port) as listener:
            broken_off = serve_with_ray(opened, options, RayOptions(ray, replicas), listener, host)
        sys.exit(int(broken_off > 0))
    with open_socket(host, port) as listener, options.service(opened) as service:
        broken_off = run_server(service, listener, host, str(bundle))
    sys.exit(int(broken_off > 0 or service.status == "failed"))
