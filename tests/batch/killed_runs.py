"""Runs that are killed by SIGKILL at spread moments, and started again.

    python -m tests.batch.killed_runs FOLDER solve|retry

A moment is an operation on a file: the process ends before its n-th one in the folder of the run.
Prints one JSON object a moment. It is a program of its own, so that its forks begin without the
threads of a test session.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.batch.runs import (
    POISON,
    PoisonBackend,
    puzzle_texts,
    read_folder,
    run_in,
    write_input,
)

MOMENTS = 20
ROWS = 200
_OPERATIONS = {"open", "os.rename", "os.remove", "os.mkdir", "os.chmod", "os.listdir", "os.scandir"}


def killed_at(number: int, folder: Path) -> list[int]:
    """Count operations in a folder, and end the process at one of them; 0: never."""
    count = [0]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _OPERATIONS and str(folder) in str(arguments[0]):
            count[0] += 1
            if count[0] == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return count


def in_fork(work: Callable[[], None]) -> int:
    """The wait status of a child that does some work."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        work()
    except BaseException:  # noqa: BLE001 - the child must not go on as its parent
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main(folder: Path, kind: str) -> None:
    os.fsync = lambda descriptor: None  # a killed process loses nothing that the system has
    texts = puzzle_texts(ROWS)
    texts[20:190:37] = [POISON] * len(texts[20:190:37])
    source = write_input(folder / "in.parquet", texts)
    retries = kind == "retry"

    def begin(output: Path) -> None:
        output.mkdir()
        if retries:
            run_in(output, source, backend=PoisonBackend())

    def work(output: Path) -> None:
        run_in(output, source, backend=PoisonBackend(fails=False), retry_failed=retries)

    def count_operations() -> None:
        shutil.copytree(folder / "begun", folder / "counted")
        count = killed_at(0, folder / "counted")
        work(folder / "counted")
        (folder / "operations").write_text(str(count[0]))

    assert in_fork(lambda: begin(folder / "begun")) == 0
    assert in_fork(count_operations) == 0
    operations = int((folder / "operations").read_text())
    expected = read_folder(folder / "counted")
    for moment in range(MOMENTS):
        output = folder / f"run-{moment}"
        number = 1 + moment * (operations - 1) // (MOMENTS - 1)

        def killed(output: Path = output, number: int = number) -> None:
            killed_at(number, output)
            work(output)

        shutil.copytree(folder / "begun", output)
        status = in_fork(killed)
        rows: list[int] = []
        if any(output.glob("*.parquet")):
            rows = read_folder(output)["row"].to_pylist()
        again = in_fork(lambda output=output: work(output))  # type: ignore[misc]
        result = {
            "killed": os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL,
            "rows": len(rows),
            "distinct": len(set(rows)),
            "again": again,
            "same": read_folder(output).equals(expected),
            "hidden": sorted(path.name for path in output.glob(".*")),
        }
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
