"""A run over augmented tasks: what it asks, what it leaves behind, and how it goes on."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.arc.run_files import assert_same_run, contents
from tests.arc.voters import Arranged, Copier, parsed, voting_solver
from trm_edge.arc import answer_parts, run
from trm_edge.arc.answer_parts import part_paths
from trm_edge.arc.predictions import read_predictions
from trm_edge.arc.stopping import StoppingRule
from trm_edge.arc.test_set import read_test_set
from trm_edge.arc.voting import count_votes
from trm_edge.errors import OutputError, OutputExistsError, PuzzleError
from trm_edge.run_lock import only_process_in

TASKS = [
    parsed("a", [[[1, 2, 3], [4, 5, 6]], [[7, 0]]]),
    parsed("b", [[[1, 0], [0, 3], [2, 2]]]),
    parsed("c", [[[5]], [[5]]]),  # two equal inputs are asked once
]


@pytest.fixture
def arranged() -> Arranged:
    return Arranged(TASKS)


def test_a_run_is_complete_and_votes_as_published(arranged: Arranged, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with voting_solver() as solver:
        outcome = arranged.run(folder).solve(solver)
    assert outcome.record.complete
    assert outcome.answered == outcome.record.answers == 4 * 13
    written = contents(folder)
    assert [len(entries) for entries in written["submission.json"].values()] == [2, 1, 2]
    assert written["submission.json"]["b"][0]["attempt_1"] == TASKS[1].tests[0].input.tolist()
    # The folder is a dataset for trm-edge vote, which counts the same votes.
    voted = count_votes(read_test_set(folder), sorted(folder.glob("predictions-*.npz")))
    assert voted.metrics == outcome.votes.metrics
    assert voted.metrics.ignored == 0


def test_tasks_are_served_evenly(arranged: Arranged, tmp_path: Path) -> None:
    with voting_solver() as solver:
        arranged.run(tmp_path / "run").solve(solver)
    names = arranged.plan.names
    identifiers = read_predictions(tmp_path / "run" / "predictions-00001.npz").identifiers
    tasks = [names[identifier].partition("|||")[0] for identifier in identifiers.tolist()]
    assert tasks == ["a", "a", "b", "c"] * 13
    assert [names[identifier] for identifier in identifiers[:4]] == ["a", "a", "b", "c"]


@pytest.mark.parametrize("rule", [None, StoppingRule(0.9)])
def test_an_interrupted_run_goes_on_to_the_same_files(
    rule: StoppingRule | None,
    arranged: Arranged,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answer_parts, "PART_ROWS", 10)
    with voting_solver() as solver:
        arranged.run(tmp_path / "whole", rule=rule).solve(solver)
    folder = tmp_path / "stopped"
    answers = [0]
    for stop_after in (5, 9, 12):
        with voting_solver(Copier(stop_after)) as solver, pytest.raises(KeyboardInterrupt):
            arranged.run(folder, rule=rule).solve(solver)
        record = contents(folder)["run.json"]
        assert not record["complete"]
        answers.append(record["answers"])
    assert answers == sorted(set(answers))
    with voting_solver(batch=7) as solver:
        arranged.run(folder, rule=rule).solve(solver)
    assert_same_run(folder, tmp_path / "whole")


def test_a_killed_run_loses_what_was_not_saved_alone(arranged: Arranged, tmp_path: Path) -> None:
    """The record of a killed run may be older than its parts."""
    folder = tmp_path / "run"
    with voting_solver() as solver:
        arranged.run(folder).solve(solver)
    expected = contents(folder)
    part = read_predictions(folder / "predictions-00001.npz")
    part.rows(0, 21).write(folder / "predictions-00001.npz")
    (folder / "submission.json").unlink()
    with voting_solver() as solver:
        outcome = arranged.run(folder).solve(solver)
    assert outcome.answered == 4 * 13 - 21
    assert contents(folder) == expected


def test_the_submission_is_there_before_the_first_answer(
    arranged: Arranged, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with voting_solver(Copier(0)) as solver, pytest.raises(KeyboardInterrupt):
        arranged.run(folder).solve(solver)
    submission = json.loads((folder / "submission.json").read_text())
    placeholder = [[0, 0], [0, 0]]
    assert submission["b"] == [{"attempt_1": placeholder, "attempt_2": placeholder}]
    assert [len(entries) for entries in submission.values()] == [2, 1, 2]


def test_the_files_are_rewritten_meanwhile(
    arranged: Arranged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "SAVE_SHARE", 0)
    folder = tmp_path / "run"
    seen = []

    class Watching(Copier):
        def step(self, *arguments: Any) -> Any:
            seen.append(json.loads((folder / "run.json").read_text())["answers"])
            return super().step(*arguments)

    with voting_solver(Watching()) as solver:
        arranged.run(folder, save_seconds=0.0).solve(solver)
    assert len(set(seen)) > 3


def test_the_time_ends_a_run_with_everything_written(arranged: Arranged, tmp_path: Path) -> None:
    class Slow(Copier):
        def step(self, *arguments: Any) -> Any:
            time.sleep(0.1)
            return super().step(*arguments)

    folder = tmp_path / "run"
    with voting_solver(Slow()) as solver:
        outcome = arranged.run(folder).solve(solver, end=time.monotonic() + 1.0)
    assert not outcome.record.complete
    assert 0 < outcome.answered < 4 * 13
    assert contents(folder)["run.json"]["answers"] == outcome.answered
    with voting_solver() as solver:
        assert arranged.run(folder).solve(solver).record.complete


def test_no_time_at_all_leaves_placeholders(arranged: Arranged, tmp_path: Path) -> None:
    with voting_solver() as solver:
        outcome = arranged.run(tmp_path / "run").solve(solver, end=time.monotonic() - 1)
    assert (outcome.answered, outcome.record.complete) == (0, False)


def test_decided_inputs_are_not_asked_any_more(tmp_path: Path) -> None:
    arranged = Arranged(TASKS, variants=60)
    with voting_solver() as solver:
        every = arranged.run(tmp_path / "every").solve(solver)
        decided = arranged.run(tmp_path / "decided", rule=StoppingRule(0.9, "first")).solve(solver)
    assert decided.record.complete
    assert decided.record.decided == 4
    assert decided.record.answers < every.record.answers / 2
    for task in TASKS:
        first = [ranking[0].grid.tolist() for ranking in every.votes.rankings[task.name]]
        assert [rank[0].grid.tolist() for rank in decided.votes.rankings[task.name]] == first


def test_inputs_that_are_answered_in_full_are_not_decided(tmp_path: Path) -> None:
    arranged = Arranged(TASKS, variants=8)
    with voting_solver() as solver:
        record = arranged.run(tmp_path, rule=StoppingRule(0.9)).solve(solver).record
    assert record.complete
    assert record.answers == record.questions == 4 * 9
    assert record.decided == 0


def test_decided_inputs_are_counted_again_when_a_run_goes_on(tmp_path: Path) -> None:
    arranged = Arranged(TASKS, variants=60)
    # The one input of this task is answered in full before the others are decided.
    variants = {**arranged.plan.variants, "b": arranged.plan.variants["b"][:8]}
    arranged.plan = replace(arranged.plan, variants=variants)
    rule = StoppingRule(0.99, "first")
    folder = tmp_path / "stopped"
    with voting_solver() as solver:
        whole = arranged.run(tmp_path / "whole", rule=rule).solve(solver).record
    with voting_solver(Copier(28)) as solver, pytest.raises(KeyboardInterrupt):
        arranged.run(folder, rule=rule).solve(solver)
    assert contents(folder)["run.json"]["answers"] > 4 * 8
    with voting_solver() as solver:
        resumed = arranged.run(folder, rule=rule).solve(solver).record
    assert whole.decided == resumed.decided == 3
    assert_same_run(folder, tmp_path / "whole")


def test_answers_to_other_questions_are_refused(arranged: Arranged, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with voting_solver() as solver:
        arranged.run(folder).solve(solver)
        part = read_predictions(folder / "predictions-00001.npz")
        part.rows(1, 30).write(folder / "predictions-00001.npz")
        with pytest.raises(PuzzleError, match=r"answer 1 in .* is one to another question"):
            arranged.run(folder).solve(solver)


def test_a_part_that_is_missing_is_named(
    arranged: Arranged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_parts, "PART_ROWS", 10)
    folder = tmp_path / "run"
    with voting_solver() as solver:
        arranged.run(folder).solve(solver)
        before = contents(folder)
        (folder / "predictions-00002.npz").unlink()
        with pytest.raises(OutputError, match=r"predictions-00002\.npz is missing"):
            arranged.run(folder).solve(solver)
        assert contents(folder) == before
        # What the message advises.
        for path in part_paths(folder)[1:]:
            path.unlink()
        assert arranged.run(folder).solve(solver).answered == 4 * 13 - 10
    assert contents(folder) == before


def test_a_run_stays_open_for_itself_alone(arranged: Arranged, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first = arranged.run(folder)
    with voting_solver() as solver:
        with first.opened():
            first.solve(solver)
            before = contents(folder)
            with pytest.raises(OutputError, match="another process is at work"):
                arranged.run(folder).solve(solver)
        assert contents(folder) == before
        arranged.run(folder).solve(solver)


@pytest.mark.parametrize("is_begun", [False, True])
def test_nothing_is_written_to_a_folder_in_use(
    is_begun: bool, arranged: Arranged, tmp_path: Path
) -> None:
    def stamps() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}

    with voting_solver() as solver:
        if is_begun:
            arranged.run(tmp_path).solve(solver)
        with only_process_in(tmp_path):
            before = stamps()
            with pytest.raises(OutputError, match="another process is at work"):
                arranged.run(tmp_path).solve(solver)
            assert stamps() == before


def test_other_files_are_kept(arranged: Arranged, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with voting_solver() as solver, pytest.raises(OutputExistsError, match="is not a run"):
        arranged.run(tmp_path).solve(solver)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_logit_that_is_no_number_is_no_confidence(arranged: Arranged, tmp_path: Path) -> None:
    class Nan(Copier):
        def step(self, *arguments: Any) -> Any:
            logits = super().step(*arguments)
            return logits._replace(q_halt=logits.q_halt * np.nan)

    folder = tmp_path / "run"
    with voting_solver(Nan()) as solver:
        arranged.run(folder).solve(solver)
    assert contents(folder)["ranking.json"]["b"][0][0]["confidence"] == 0
    with voting_solver() as solver:
        assert arranged.run(folder).solve(solver).answered == 0
