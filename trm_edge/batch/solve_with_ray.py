"""``trm-edge solve -o NAME.parquet --ray``: the same run, solved by workers on a Ray cluster."""

from __future__ import annotations

from dataclasses import replace

from trm_edge.batch.output_folder import OutputFolder
from trm_edge.batch.ray_extra import require_ray_extra
from trm_edge.batch.run import RunResult
from trm_edge.batch.solve_options import SolveOptions
from trm_edge.batch.solve_to_parquet import begin_run
from trm_edge.batch.source import RowSource
from trm_edge.bundle import Bundle
from trm_edge.cli.arc_output import percent
from trm_edge.cli.console import echo
from trm_edge.cli.parquet_options import ParquetOptions
from trm_edge.progress import Track


def solve_with_ray(
    bundle: Bundle,
    source: RowSource,
    folder: OutputFolder,
    options: SolveOptions,
    parquet: ParquetOptions,
    track: Track,
) -> RunResult:
    """Solve the rows that a folder does not have yet with Ray.

    Args:
        bundle: opened.
        source: of the rows.
        folder: locked.
        options: of the workers.
        parquet: of the run.
        track: reports the rows.

    Raises:
        MissingExtraError: Ray is not installed.
        ConfigError: no cluster answers, or it has too little for the workers.
        TrmEdgeError: as from a run in one process.
    """
    require_ray_extra()
    from trm_edge.batch.ray_cluster import LOCAL, cluster_nodes, ray_cluster
    from trm_edge.batch.ray_run import RayRun
    from trm_edge.batch.ray_worker import worker_backend
    from trm_edge.batch.worker_plan import plan_workers

    options = replace(options, bundle=options.bundle.resolve())
    with ray_cluster(parquet.ray or LOCAL, parquet.metrics_port):
        plan = plan_workers(cluster_nodes(), parquet.workers, options.threads)
        backend = worker_backend(options, plan)
        begin_run(bundle, source, folder, options, backend, track)
        run = RayRun(source, folder, options, plan, backend, track)
        solved = run.solve(retry_failed=parquet.retry_failed)
    reports = solved.reports
    for name, state in reports.states.items():
        if state.seconds:
            echo(
                f"Worker {name}: {state.rows:,} rows, {state.rows / state.seconds:,.3g} a second "
                f"while at work."
            )
    if reports.occupancy is not None:
        echo(
            f"{percent(reports.occupancy)} of the slots held a puzzle; {reports.retried:,} blocks "
            "were begun again."
        )
    return solved.result
