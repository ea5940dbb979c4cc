"""Runs with Ray: the same answers as of one process, whatever is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pytest

pytest.importorskip("ray.data", reason="needs the extra ray")

import ray

from tests.batch.ray_workers import KILLER, PIDS, SLOWLY, SPARE, STILLBORN, run_with_ray
from tests.batch.runs import POISON, PoisonBackend, puzzle_texts, read_folder, run_in, write_input
from trm_edge.batch.pending_parts import marks_folder
from trm_edge.batch.ray_cluster import ray_cluster
from trm_edge.errors import BackendError, OutputExistsError

# Ray's own code warns, and it takes half a minute to start on a busy machine.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.slow]

ROOT = Path(__file__).parents[2]
ROWS = 400
MANY_ROWS = 1_600  # so that the work lasts until all kills are done
QUICK_KILLS = 2
ALL_KILLS = 20


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Ray on this machine, for all tests of the module."""
    with ray_cluster():
        yield ray.get_runtime_context().gcs_address


def inputs(folder: Path, *extra: str, rows: int = ROWS) -> tuple[Path, pa.Table]:
    """An input with some rows of another kind, and the answers of one process to it."""
    texts = puzzle_texts(rows)
    texts[7 : 7 + len(extra)] = extra
    source = write_input(folder / "in.parquet", texts)
    run_in(folder / "one.parquet", source, backend=PoisonBackend())
    return source, read_folder(folder / "one.parquet")


def test_answers_are_those_of_one_process(address: str, tmp_path: Path) -> None:
    source, expected = inputs(tmp_path)
    output = tmp_path / "out.parquet"
    solved = run_with_ray(output, source)
    assert read_folder(output).equals(expected)
    assert solved.result.solved == solved.result.tally.rows == ROWS
    assert solved.reports.rows == ROWS
    assert solved.reports.retried == 0
    assert set(solved.reports.engines.values()) == {"fake; it computes nothing"}
    assert not marks_folder(output).exists()
    again = run_with_ray(output, source)
    assert again.result.solved == 0
    assert read_folder(output).equals(expected)


def test_one_process_goes_on_where_ray_stopped_and_the_other_way(
    address: str, tmp_path: Path
) -> None:
    source, expected = inputs(tmp_path)
    output = tmp_path / "out.parquet"
    run_with_ray(output, source)
    parts = sorted(output.glob("*.parquet"))
    for part in parts[::2]:
        part.unlink()
    run_in(output, source)
    assert read_folder(output).equals(expected)
    for part in sorted(output.glob("*.parquet"))[1::2]:
        part.unlink()
    run_with_ray(output, source)
    assert read_folder(output).equals(expected)


def test_a_poison_row_fails_alone_and_is_retried(address: str, tmp_path: Path) -> None:
    source, expected = inputs(tmp_path, POISON, "no puzzle")
    output = tmp_path / "out.parquet"
    solved = run_with_ray(output, source)
    assert read_folder(output).equals(expected)
    assert solved.result.tally.failed == 2
    retried = run_with_ray(output, source, retry_failed=True)
    assert retried.result.solved == 2
    assert read_folder(output).equals(expected)


def test_a_line_that_cannot_be_read_has_no_id(address: str, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    lines = [f'{{"id": {row}, "puzzle": "{text}"}}' for row, text in enumerate(puzzle_texts(60), 1)]
    lines[1] = '{"id": 2, "puz'
    source.write_text("\n".join(lines))
    run_in(tmp_path / "one.parquet", source)
    run_with_ray(tmp_path / "out.parquet", source)
    answers = read_folder(tmp_path / "out.parquet")
    assert answers["id"].to_pylist()[:3] == ["1", None, "3"]
    assert answers.equals(read_folder(tmp_path / "one.parquet"))


def test_a_puzzle_that_ends_its_workers_fails_alone(address: str, tmp_path: Path) -> None:
    source, expected = inputs(tmp_path, KILLER)
    output = tmp_path / "out.parquet"
    solved = run_with_ray(output, source)
    answers = read_folder(output)
    assert answers["row"].to_pylist() == list(range(ROWS))
    assert solved.result.tally.failed == 1
    assert "its worker died 4 times while it solved this puzzle" in answers["error"][7].as_py()
    (tmp_path / SPARE).touch()
    run_with_ray(output, source, retry_failed=True)
    assert read_folder(output).equals(expected)


def test_workers_that_die_while_they_start_end_the_run(address: str, tmp_path: Path) -> None:
    source, _ = inputs(tmp_path)
    output = tmp_path / "out.parquet"
    (tmp_path / STILLBORN).touch()
    with pytest.raises(BackendError, match="has died 12 times before it had solved anything"):
        run_with_ray(output, source)


def test_another_run_is_refused(address: str, tmp_path: Path) -> None:
    source, _ = inputs(tmp_path)
    (tmp_path / "out.parquet").mkdir()
    (tmp_path / "out.parquet" / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError):
        run_with_ray(tmp_path / "out.parquet", source)


@pytest.mark.parametrize(("kills", "rows"), [(QUICK_KILLS, ROWS), (ALL_KILLS, MANY_ROWS)])
def test_killed_workers_lose_nothing(address: str, tmp_path: Path, kills: int, rows: int) -> None:
    source, expected = inputs(tmp_path, rows=rows)
    output = tmp_path / "out.parquet"
    (tmp_path / SLOWLY).write_text("0.2")
    with killing(tmp_path / PIDS, kills) as killed:
        solved = run_with_ray(output, source, block=4)
    assert read_folder(output).equals(expected)
    assert solved.result.tally.failed == 0
    assert len(killed) == kills


@contextmanager
def killing(pids: Path, kills: int) -> Iterator[list[int]]:
    """Kill workers, one after another, at random moments: some as soon as they begin."""
    rng = random.Random(kills)
    killed: list[int] = []
    is_over = threading.Event()

    def kill() -> None:
        while len(killed) < kills and not is_over.wait(0.05):
            lines = pids.read_text().split() if pids.exists() else []
            alive = [int(line) for line in lines if int(line) not in killed]
            if alive:
                is_over.wait(rng.uniform(0, 2))
                victim = rng.choice(alive)
                with suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
                killed.append(victim)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        is_over.set()
        thread.join()


@pytest.mark.parametrize("kills", [QUICK_KILLS, ALL_KILLS])
def test_a_killed_driver_loses_nothing(address: str, tmp_path: Path, kills: int) -> None:
    source, expected = inputs(tmp_path)
    output = tmp_path / "out.parquet"
    (tmp_path / SLOWLY).write_text("0.5")
    rng = random.Random(kills)
    for _ in range(kills):
        # From the first block to be solved on: what comes before changes nothing in the folder.
        driver = start_driver(address, source, output)
        wait_for_part(driver, output)
        time.sleep(rng.uniform(0, 2))
        driver.kill()
        driver.wait()
    (tmp_path / SLOWLY).unlink()
    run_with_ray(output, source)
    assert read_folder(output).equals(expected)
    assert not marks_folder(output).exists()


def start_driver(address: str, source: Path, output: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.batch.ray_workers", address, str(source), str(output)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for_part(driver: subprocess.Popen[bytes], output: Path) -> None:
    """Wait until a driver writes its first part, or has ended."""
    marks = marks_folder(output)
    before = set(marks.glob("*")) if marks.exists() else set()
    while driver.poll() is None:
        if marks.exists() and set(marks.glob("*")) - before:
            return
        time.sleep(0.05)
