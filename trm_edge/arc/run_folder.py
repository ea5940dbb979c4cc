"""The folder of a run: the votes so far, and the settings it was begun with.

Every file is replaced whole, so a killed run leaves the state of its last save. The answers are
beside them, in the parts of :mod:`~trm_edge.arc.answer_parts`; the same command reads them and goes
on after them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from trm_edge import records
from trm_edge.arc.answer_parts import part_paths
from trm_edge.arc.stopping import Leaders
from trm_edge.arc.submission import build_submission, write_submission
from trm_edge.arc.test_set import TestSet
from trm_edge.arc.votes import VoteOrder
from trm_edge.arc.voting import (
    METRICS_FORMAT,
    METRICS_NAME,
    RANKING_NAME,
    SUBMISSION_NAME,
    VoteResult,
    write_ranking,
)
from trm_edge.datasets.folder import TEST_PUZZLES_NAME
from trm_edge.errors import RecordError
from trm_edge.files import check_writable, write_text
from trm_edge.identifiers import IDENTIFIERS_NAME
from trm_edge.records import Format, RecordKind
from trm_edge.run_lock import locked_folder
from trm_edge.run_settings import differences, refuse_other_files, refuse_other_settings

RUN_FORMAT = Format("trm-edge.arc-run", 1)
RUN_NAME = "run.json"
_KIND = RecordKind(
    RUN_FORMAT,
    "the record of an ARC run",
    RecordError,
    "Choose another folder, or delete this one.",
)


@dataclass(frozen=True)
class RunSettings:
    """Everything that changes the answers of a run, or which of them it asks for.

    Args:
        version: of trm-edge.
        bundle: sha256 of the bundle's manifest, which has the hashes of its files.
        target: of the bundle.
        halting: the halting rule, as text.
        augmentations: variants of each task beside the original; None: all that there are.
        until_decided: probability of the stopping rule; None: every question is asked.
        leaders: answers that the stopping rule watches: ``pair`` or ``first``.
        votes_by: order of the candidates.
        questions: sha256 of the test inputs, the variants and their rows.
    """

    version: str
    bundle: str
    target: str
    halting: str
    augmentations: int | None
    until_decided: float | None
    leaders: Leaders
    votes_by: VoteOrder
    questions: str


_TITLES = {
    "version": "the version of trm-edge",
    "bundle": "the bundle (sha256 of its manifest)",
    "target": "the target",
    "halting": "the halting rule",
    "until_decided": "--until-decided",
    "leaders": "--decide",
    "votes_by": "--votes-by",
    "augmentations": "--augmentations",
    "questions": "the tasks or their rows (sha256)",
}


@dataclass(frozen=True)
class RunRecord:
    """State of a run, as ``run.json`` has it.

    Args:
        settings: that the run was begun with.
        test_inputs: that are asked; those of tasks without a row are not.
        questions: of the whole plan.
        answers: so far.
        decided: test inputs that the stopping rule has ended before their last question.
        complete: nothing is left to ask.
    """

    settings: RunSettings
    test_inputs: int
    questions: int
    answers: int
    decided: int
    complete: bool


class RunFolder:
    """Keeps the files of a run beside its answers.

    Args:
        folder: that takes them.
        test_set: the tasks, and the names of the identifiers in the predictions.
        are_known: the outputs of all test inputs are known, so that metrics mean something.
        grids: candidates of each test input that have their grid in the ranking.
    """

    def __init__(self, folder: Path, test_set: TestSet, *, are_known: bool, grids: int) -> None:
        self.path = folder
        self._test_set = test_set
        self._are_known = are_known
        self._grids = grids

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Create the folder and keep other processes out of it until the block ends.

        A folder in which no run was begun is removed again.

        Raises:
            OutputExistsError: it holds files of something else.
            OutputError: it cannot be written, or another process is at work in it.
        """
        self._check()
        with locked_folder(self.path, RUN_NAME):
            yield

    def open(self, record: RunRecord) -> bool:
        """Begin a run, or make sure that the one in the folder has the same settings.

        A run with other settings that has no answer yet gives way. A folder that is begun gets what
        trm-edge vote and score read of a dataset, too.

        Args:
            record: of a run without answers.

        Returns:
            Whether the folder holds a run with a submission.

        Raises:
            OutputExistsError: the folder holds files of something else, or a run with other
                settings; says which.
            OutputError: the folder cannot be written.
            RecordError: its record cannot be read.
        """
        self._check()
        path = self.path / RUN_NAME
        if path.exists():
            before = records.read(path, RunRecord, _KIND).settings
            found = differences(before, record.settings, _TITLES)
            if part_paths(self.path):
                refuse_other_settings(self.path, found)
            if not found:
                self._write_dataset()
                return (self.path / SUBMISSION_NAME).exists()
        records.write(path, record, RUN_FORMAT)
        self._write_dataset()
        return False

    def _check(self) -> None:
        """Refuse a folder that cannot be written, or that holds something else than a run."""
        check_writable(self.path / RUN_NAME)
        refuse_other_files(self.path, RUN_NAME)

    def _write_dataset(self) -> None:
        names = json.dumps(list(self._test_set.names))
        write_text(self.path / IDENTIFIERS_NAME, names)
        tasks = {name: task.to_json() for name, task in self._test_set.tasks.items()}
        write_text(self.path / TEST_PUZZLES_NAME, json.dumps(tasks))

    def write(self, result: VoteResult, record: RunRecord) -> None:
        """Write the submission and the others, each whole or not at all.

        Args:
            result: the votes so far.
            record: state of the run.

        Raises:
            OutputError: a file cannot be written.
        """
        write_submission(self.path / SUBMISSION_NAME, build_submission(result.rankings))
        write_ranking(self.path / RANKING_NAME, result.rankings, self._grids)
        if self._are_known:
            records.write(self.path / METRICS_NAME, result.metrics, METRICS_FORMAT)
        records.write(self.path / RUN_NAME, record, RUN_FORMAT)
