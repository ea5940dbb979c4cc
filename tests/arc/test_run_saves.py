"""A run whose saves fail or are interrupted: nothing is written twice, and it goes on."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.arc.failing_writes import failing_writes
from tests.arc.run_files import assert_same_run, contents
from tests.arc.voters import Arranged, Copier, parsed, voting_solver
from trm_edge.arc import answer_parts, run
from trm_edge.arc.answer_parts import part_paths
from trm_edge.arc.predictions import Predictions, read_predictions
from trm_edge.arc.votes import VoteCount
from trm_edge.errors import OutputError

TASKS = [
    parsed("a", [[[1, 2, 3], [4, 5, 6]], [[7, 0]]]),
    parsed("b", [[[1, 0], [0, 3], [2, 2]]]),
    parsed("c", [[[5]]]),
]
ERRORS = (KeyboardInterrupt(), OutputError("the disk is full."))


@pytest.fixture
def arranged() -> Arranged:
    return Arranged(TASKS)


@pytest.fixture(autouse=True)
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_parts, "PART_ROWS", 10)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("times", [1, 99])
@pytest.mark.parametrize("is_written", [False, True])
@pytest.mark.parametrize("failing", [1, 2, 6])
def test_a_run_goes_on_after_a_save_that_failed(
    error: BaseException,
    times: int,
    is_written: bool,
    failing: int,
    arranged: Arranged,
    tmp_path: Path,
) -> None:
    """The save at the end fails in its first part, the second or the last, once or for good."""
    folder = tmp_path / "stopped"
    with voting_solver() as solver:
        arranged.run(tmp_path / "whole").solve(solver)
        failing_save = failing_writes(error, failing, is_written=is_written, times=times)
        with failing_save, pytest.raises(type(error)):
            arranged.run(folder).solve(solver)
        record = contents(folder)["run.json"]
        assert not record["complete"]
        # A save that fails once is made again on the way out, and then everything is there.
        assert record["answers"] == (52 if times == 1 else 0)
        arranged.run(folder).solve(solver)
    assert_same_run(folder, tmp_path / "whole")


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("is_written", [False, True])
@pytest.mark.parametrize("failing", [1, 5, 11])
def test_a_run_goes_on_after_a_save_that_failed_meanwhile(
    error: BaseException,
    is_written: bool,
    failing: int,
    arranged: Arranged,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "SAVE_SHARE", 0)
    folder = tmp_path / "stopped"
    with voting_solver() as solver:
        arranged.run(tmp_path / "whole").solve(solver)
        failing_save = failing_writes(error, failing, is_written=is_written)
        with failing_save, pytest.raises(type(error)):
            arranged.run(folder, save_seconds=0.0).solve(solver)
        parts = [len(read_predictions(path)) for path in part_paths(folder)]
        assert contents(folder)["run.json"]["answers"] == sum(parts) == failing
        arranged.run(folder).solve(solver)
    assert_same_run(folder, tmp_path / "whole")


def test_a_signal_waits_until_what_was_written_is_counted(
    arranged: Arranged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = VoteCount.add

    def interrupted_add(count: VoteCount, predictions: Predictions) -> None:
        signal.raise_signal(signal.SIGINT)
        add(count, predictions)

    folder = tmp_path / "stopped"
    with voting_solver() as solver:
        arranged.run(tmp_path / "whole").solve(solver)
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # may be ignored here
        try:
            with monkeypatch.context() as patch:
                patch.setattr(VoteCount, "add", interrupted_add)
                with pytest.raises(KeyboardInterrupt):
                    arranged.run(folder).solve(solver)
        finally:
            signal.signal(signal.SIGINT, before)
        written = contents(folder)
        expected = contents(tmp_path / "whole")
        assert written["run.json"]["answers"] == 4 * 13
        assert written["ranking.json"] == expected["ranking.json"]
        arranged.run(folder).solve(solver)
    assert_same_run(folder, tmp_path / "whole")


def test_an_interrupted_run_can_be_solved_again(arranged: Arranged, tmp_path: Path) -> None:
    """As in a notebook, where the objects are still there."""
    stopped = arranged.run(tmp_path / "stopped")
    with voting_solver(Copier(12)) as solver, pytest.raises(KeyboardInterrupt):
        stopped.solve(solver)
    before = contents(tmp_path / "stopped")["run.json"]["answers"]
    with voting_solver() as solver:
        arranged.run(tmp_path / "whole").solve(solver)
        outcome = stopped.solve(solver)
        assert outcome.answered == 4 * 13 - before < 4 * 13
        assert_same_run(tmp_path / "stopped", tmp_path / "whole")
        assert stopped.solve(solver).answered == 0
    assert_same_run(tmp_path / "stopped", tmp_path / "whole")


def test_a_run_whose_save_failed_can_be_solved_again(arranged: Arranged, tmp_path: Path) -> None:
    stopped = arranged.run(tmp_path / "stopped")
    with voting_solver() as solver:
        arranged.run(tmp_path / "whole").solve(solver)
        full_disk = failing_writes(OutputError("the disk is full."), 3, times=99)
        with full_disk, pytest.raises(OutputError):
            stopped.solve(solver)
        assert stopped.solve(solver).answered == 4 * 13 - 20
    assert_same_run(tmp_path / "stopped", tmp_path / "whole")
