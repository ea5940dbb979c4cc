"""``trm-edge solve --ray``: what is refused before Ray is started, and runs with one worker.

What takes longer, such as killed workers and drivers, is in ``test_ray_run``.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.batch.runs import parts_of, puzzle_texts, read_folder, run_in, write_input
from tests.cli.commands import failed, run
from trm_edge.batch import ray_extra
from trm_edge.batch.worker_plan import WorkerPlan
from trm_edge.errors import BackendError, MissingExtraError, PuzzleError

ONE_WORKER = WorkerPlan(count=1, gpus=0, threads=1, cpus=0.5)
# Ray's own code warns. What a start or a worker waits for is bounded, however busy the machine is.
with_ray = [
    pytest.mark.filterwarnings("default"),
    pytest.mark.timeout(600),
    pytest.mark.usefixtures("cluster"),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Ray on this machine, for all tests of the module; its files go with it."""
    pytest.importorskip("ray.data", reason="needs the extra ray")
    from trm_edge.batch.ray_cluster import ray_cluster

    folder = tempfile.mkdtemp(prefix="ray-")  # short: the names of sockets are bounded
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RAY_TMPDIR", folder)
            with ray_cluster():
                yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def arguments(old_bundles: Path, tmp_path: Path) -> list[object]:
    source = write_input(tmp_path / "in.parquet", puzzle_texts(4))
    return ["solve", old_bundles / "toy-fp32", source]


@pytest.mark.parametrize("options", [["--workers", 2], ["--metrics-port", 8080]])
def test_options_of_ray_need_ray(
    arguments: list[object], tmp_path: Path, options: list[object]
) -> None:
    result = run(*arguments, "-o", tmp_path / "out.parquet", *options)
    failed(result, f"{options[0]} belongs to a run with Ray: add --ray", code=2)
    assert not (tmp_path / "out.parquet").exists()


def test_ray_needs_an_output_as_parquet(arguments: list[object]) -> None:
    failed(run(*arguments, "--ray", "auto"), "--ray belongs to answers as Parquet", code=2)


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ray_extra.PACKAGES, "no_such_package", "ray")
    with pytest.raises(MissingExtraError, match=r"trm-edge\[ray\]"):
        ray_extra.require_ray_extra()


class TestRuns:
    """Runs on the cluster."""

    pytestmark = with_ray

    def test_answers_and_failed_rows_are_those_of_one_process(
        self, old_bundles: Path, tmp_path: Path
    ) -> None:
        texts = puzzle_texts(60)
        texts[7] = "no puzzle"
        source = write_input(tmp_path / "in.parquet", texts)
        command = ["solve", old_bundles / "toy-fp32", source, "--threads", 1, "-o"]
        failed(run(*command, tmp_path / "one.parquet"), "1 rows have failed")
        result = run(*command, tmp_path / "ray.parquet", "--ray", "local", "--workers", 1)
        failed(result, "60 rows", "1 failed", "1 rows have failed", "of the slots held a puzzle")
        answers = read_folder(tmp_path / "ray.parquet")
        assert answers.equals(read_folder(tmp_path / "one.parquet"))
        assert answers["error"][7].as_py() == "expected 81 characters, but got 9"

    def test_a_run_that_ended_early_goes_on(self, tmp_path: Path) -> None:
        from tests.batch.ray_workers import BLOCK, STOP, run_with_ray

        source = write_input(tmp_path / "in.parquet", puzzle_texts(5 * BLOCK))
        run_in(tmp_path / "one.parquet", source)
        output = tmp_path / "ray.parquet"
        (tmp_path / STOP).write_text(str(3 * BLOCK))
        with pytest.raises(BackendError, match="the engine is gone"):
            run_with_ray(output, source, plan=ONE_WORKER)
        assert read_folder(output)["row"].to_pylist() == list(range(3 * BLOCK))
        (tmp_path / STOP).unlink()
        solved = run_with_ray(output, source, plan=ONE_WORKER)
        assert solved.result.solved == 2 * BLOCK
        assert read_folder(output).equals(read_folder(tmp_path / "one.parquet"))

    def test_an_input_that_changes_ends_the_run(self, tmp_path: Path) -> None:
        from tests.batch.ray_workers import BLOCK, run_with_ray

        source = write_input(tmp_path / "in.parquet", puzzle_texts(2 * BLOCK))
        output = tmp_path / "ray.parquet"

        def change() -> None:
            write_input(source, puzzle_texts(2 * BLOCK, seed=1))
            os.utime(source, ns=(0, 1))

        with pytest.raises(PuzzleError, match=r"in\.parquet was changed or removed while"):
            run_with_ray(output, source, plan=ONE_WORKER, before=change)
        assert not list(parts_of(output))

    def test_an_id_in_two_rows_is_refused(self, old_bundles: Path, tmp_path: Path) -> None:
        source = tmp_path / "in.parquet"
        pq.write_table(pa.table({"id": ["a", "b", "a"], "puzzle": puzzle_texts(3)}), source)
        output = tmp_path / "out.parquet"
        result = run("solve", old_bundles / "toy-fp32", source, "-o", output, "--ray", "local")
        failed(result, "has the id a in rows 0 and 2")
        assert not output.exists()
