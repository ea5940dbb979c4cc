"""Stream puzzles through ``trm-edge solve`` for hours: none lost, none doubled, memory flat.

    python benchmarks/soak.py --bundle build/demo [--puzzles 1000000] [--bad-every 1000]

Runs the command itself with an engine that computes nothing, so that reading, slots, halting,
judging and writing are what is worked hard. Every puzzle is another one. Prints one JSON object;
the exit code is 1 if something broke.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from trm_edge.backends.fake import FakeBackend
from trm_edge.bundle import Bundle
from trm_edge.cli.main import main as trm_edge

_DIGITS = "123456789"
_NOT_A_PUZZLE = "not a puzzle"
_SAMPLES = 200  # of the memory, over the whole run
_GROWTH = 0.02  # of the memory, from the second quarter of the run to the last, that is let pass
_GROWTH_MB = 2.0


@dataclass(frozen=True)
class SoakResult:
    """Counts and figures of one run.

    Args:
        puzzles: sent.
        answers: received.
        wrong: answers that are not of the puzzle whose turn it was.
        bad_lines: sent.
        bad_lines_reported: named on standard error.
        exit_code: of the command.
        seconds: from the start to the last answer.
        memory_second_quarter_mb: mean resident set.
        memory_last_quarter_mb: mean resident set.
    """

    puzzles: int
    answers: int
    wrong: int
    bad_lines: int
    bad_lines_reported: int
    exit_code: int
    seconds: float
    memory_second_quarter_mb: float
    memory_last_quarter_mb: float

    @property
    def passed(self) -> bool:
        """Whether nothing was lost, doubled or kept in memory."""
        allowed = self.memory_second_quarter_mb * (1 + _GROWTH) + _GROWTH_MB
        return (
            self.answers == self.puzzles
            and self.wrong == 0
            and self.bad_lines_reported == self.bad_lines
            and self.exit_code == int(self.bad_lines > 0)
            and self.memory_last_quarter_mb <= allowed
        )


def distinct_puzzles(count: int) -> Iterator[str]:
    """Make Sudokus that contradict no rule, each another one.

    Args:
        count: at most 3,265,920.

    >>> len(set(distinct_puzzles(1000)))
    1000
    """
    rows = math.factorial(9)
    for number in range(count):
        column = number // rows
        row = _permutation(number % rows)
        lines = [row, *["." * 9] * 8]
        digit = row[(column + 1) % 9]  # another one than stands in the column
        lines[4] = "." * column + digit + "." * (8 - column)
        yield "".join(lines)


def soak(bundle: Path, puzzles: int, bad_every: int, batch: int) -> SoakResult:
    """Run the command on a stream of puzzles.

    Args:
        bundle: a bundle of a 9x9 Sudoku model.
        puzzles: number to send.
        bad_every: send a line that is not a puzzle after this many; 0 for none.
        batch: number of slots.
    """
    command = [sys.executable, __file__, "--solve", str(bundle), "--batch", str(batch)]
    began = time.monotonic()
    memory: list[float] = []
    answers = 0
    wrong = 0
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        errors: list[str] = []
        feeder = threading.Thread(target=_feed, args=(process.stdin, puzzles, bad_every))
        reader = threading.Thread(target=_collect, args=(process.stderr, errors))
        feeder.start()
        reader.start()
        expected = distinct_puzzles(puzzles)
        for line in process.stdout or ():
            answer: dict[str, Any] = json.loads(line)
            if "puzzle" not in answer:  # a bad line's
                continue
            answers += 1
            wrong += answer["puzzle"] != next(expected, None)
            if answers % max(1, puzzles // _SAMPLES) == 0:
                size = _resident_mb(process.pid)
                if size is not None:
                    memory.append(size)
        seconds = time.monotonic() - began
        exit_code = process.wait()
        feeder.join()
        reader.join()
    quarter = max(1, len(memory) // 4)
    return SoakResult(
        puzzles=puzzles,
        answers=answers,
        wrong=wrong,
        bad_lines=len(range(0, puzzles, bad_every)) if bad_every else 0,
        bad_lines_reported=len([line for line in errors if "skipped" in line]),
        exit_code=exit_code,
        seconds=round(seconds, 1),
        memory_second_quarter_mb=_mean(memory[quarter : 2 * quarter]),
        memory_last_quarter_mb=_mean(memory[-quarter:]),
    )


def solve_with_null_engine(bundle: Path, batch: int) -> None:
    """Run ``trm-edge solve BUNDLE -`` with an engine that returns what it is given.

    Args:
        bundle: folder of the bundle.
        batch: number of slots.
    """

    def backend(self: Bundle, *_: Any, **__: Any) -> FakeBackend:
        return FakeBackend(self.config)

    Bundle.backend = backend  # type: ignore[method-assign]
    trm_edge(["solve", str(bundle), "-", "--format", "json", "--batch", str(batch)])


def _permutation(number: int) -> str:
    """The digits in the order of that number, 0 .. 9! - 1."""
    digits = list(_DIGITS)
    row = ""
    for left in range(9, 0, -1):
        place, number = divmod(number, math.factorial(left - 1))
        row += digits.pop(place)
    return row


def _feed(pipe: TextIO, puzzles: int, bad_every: int) -> None:
    with pipe:
        for number, puzzle in zip(itertools.count(), distinct_puzzles(puzzles), strict=False):
            if bad_every and number % bad_every == 0:
                pipe.write(f"{_NOT_A_PUZZLE}\n")
            pipe.write(f"{puzzle}\n")


def _collect(pipe: TextIO, lines: list[str]) -> None:
    lines.extend(pipe)


def _resident_mb(pid: int) -> float | None:
    """Resident set of a process; None once it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1e3
    return None


def _mean(values: list[float]) -> float:
    return round(sum(values) / len(values), 2) if values else 0.0


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("build/demo"))
    parser.add_argument("--puzzles", type=int, default=1_000_000)
    parser.add_argument("--bad-every", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--solve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.solve is not None:
        solve_with_null_engine(arguments.solve, arguments.batch)
        return
    result = soak(arguments.bundle, arguments.puzzles, arguments.bad_every, arguments.batch)
    print(json.dumps({**asdict(result), "passed": result.passed}, indent=2))
    sys.exit(int(not result.passed))


if __name__ == "__main__":
    main()
