"""ARC-AGI: tasks become puzzles with their rows, and grids are cropped, drawn and compared."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.text import Text

from tests.arc.tasks import PAIR, TASK, write_json
from tests.arc.toy_bundle import SHAPE
from trm_edge.arc.encoding import encode
from trm_edge.errors import ConfigError, PuzzleError
from trm_edge.identifiers import IDENTIFIERS_NAME, RowNames, read_names
from trm_edge.puzzle import Puzzle
from trm_edge.reference import Split, reference_checkpoint
from trm_edge.tasks import task_for, task_named
from trm_edge.tasks.arc import NO_GRID, PALETTE, ArcAgiTask
from trm_edge.tasks.base import Entry
from trm_edge.tasks.entries import BadTask, UnknownTask

NAMES = ["<blank>", "a", "a|||t1|||0123456789", "b"]
UNNAMED = ArcAgiTask(replace(SHAPE, num_puzzle_identifiers=len(NAMES)))
ARC = UNNAMED.with_row_names(RowNames(lambda: NAMES))
EVERY_COLOUR = np.array([[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]], np.uint8)


def test_the_shape_is_the_task() -> None:
    config = UNNAMED.config
    assert task_for(config).name == "arc"
    assert task_for(config, [Puzzle(encode(EVERY_COLOUR, 20, 3).astype(np.int32))]).name == "arc"
    assert task_for(config, [Puzzle(np.arange(900, dtype=np.int32) % 12)]).name == "tokens"
    assert task_for(config, [Puzzle(np.zeros(900, np.int32))]).name == "tokens"
    with pytest.raises(ConfigError, match="the task arc has 900 cells and 12 token ids, but"):
        task_named("arc", replace(config, seq_len=81))


def test_test_inputs_with_their_rows_and_answers(tmp_path: Path) -> None:
    second = {"train": [PAIR], "test": [{"input": [[1]]}, {"input": [[2]], "output": [[3]]}]}
    path = write_json(tmp_path / "tasks.json", {"b": second, "a": TASK})
    entries = [entry for entry in ARC.read(path) if isinstance(entry, Entry)]
    assert [entry.puzzle.identifier for entry in entries] == [3, 3, 1]
    assert [entry.name for entry in entries] == [
        "b, test input 1",
        "b, test input 2",
        "a, test input 1",
    ]
    assert entries[0].answer is None
    assert entries[1].answer is not None
    assert ARC.text(entries[1].answer) == "[[3]]"
    assert ARC.text(entries[2].puzzle.tokens) == "[[4,5]]"


def test_text_of_one_task() -> None:
    names = RowNames(lambda: ["<blank>", "mine"])
    config = replace(SHAPE, num_puzzle_identifiers=2)
    task = ArcAgiTask(config).with_row_names(names)
    puzzle = task.puzzle(json.dumps({"name": "mine", **TASK}))
    assert puzzle.identifier == 1
    with pytest.raises(PuzzleError, match="holds no tasks: it is"):
        task.puzzle("53..7")


def test_tasks_that_are_bad_or_unknown(tmp_path: Path) -> None:
    path = write_json(tmp_path / "tasks.json", {"a": TASK, "x": TASK, "bad": {"train": [PAIR]}})
    items = list(ARC.read(path))
    assert [type(item) for item in items] == [BadTask, Entry, UnknownTask]
    assert str(items[0]).endswith("task bad: it has no 'test'")
    assert str(items[2]) == "task x: the bundle has no row for it"


def test_a_bundle_that_does_not_name_its_rows(golden: Path, tmp_path: Path) -> None:
    with pytest.raises(PuzzleError, match=r"does not say which task"):
        list(UNNAMED.read(write_json(tmp_path / "a.json", {"a": TASK})))
    names = json.loads((golden / "dataset" / "identifiers.json").read_text())
    task = ArcAgiTask(replace(SHAPE, num_puzzle_identifiers=len(names)))
    entries = [entry for entry in task.read(golden / "dataset") if isinstance(entry, Entry)]
    for entry in entries:
        assert entry.name is not None
        assert names[entry.puzzle.identifier] == entry.name.partition(",")[0]


def test_a_split_of_a_dataset_has_its_augmented_rows(golden: Path) -> None:
    names = json.loads((golden / "dataset" / "identifiers.json").read_text())
    task = ArcAgiTask(replace(SHAPE, num_puzzle_identifiers=len(names)))
    rows = len(np.load(golden / "dataset" / "test" / "all__inputs.npy"))
    assert len(list(task.read(golden / "dataset" / "test"))) == rows


def test_answers_are_cropped_as_published() -> None:
    answer = encode(EVERY_COLOUR)
    answer.reshape(30, 30)[20, 20] = 5  # outside of the grid
    label = encode(EVERY_COLOUR)
    assert ARC.text(answer) == "[[0,1,2,3,4],[5,6,7,8,9]]"
    assert ARC.are_right(answer[np.newaxis], label[np.newaxis]).tolist() == [True]
    answer[0] = 4
    assert ARC.are_right(answer[np.newaxis], label[np.newaxis]).tolist() == [False]
    assert ARC.text(np.zeros(900, np.int32)) == "[]"
    assert ARC.draw(np.zeros(900, np.int32)) == NO_GRID


def test_grids_are_readable_without_colours() -> None:
    plain = Text.from_markup(ARC.draw(encode(EVERY_COLOUR))).plain
    assert plain.splitlines() == [". 1 2 3 4 ", "5 6 7 8 9 "]
    wide = Text.from_markup(ARC.draw(encode(np.ones((30, 30), np.uint8)))).plain
    assert max(map(len, wide.splitlines())) == 60


def test_grids_are_drawn_in_their_colours() -> None:
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, color_system="truecolor")
    console.print(Text.from_markup(ARC.draw(encode(EVERY_COLOUR))))
    for background, _ in PALETTE:
        red, green, blue = (int(background[start : start + 2], 16) for start in (1, 3, 5))
        assert f"48;2;{red};{green};{blue}" in terminal.getvalue()


def test_a_step_marks_what_it_changed() -> None:
    before = encode(EVERY_COLOUR)
    after = before.copy()
    after[1] = 2 + 9
    drawn = Text.from_markup(ARC.draw_step(after, before, before)).plain
    assert drawn.splitlines()[0] == ". 9'2 3 4 "


def test_a_report_colours_every_token() -> None:
    looks = ARC.looks()
    assert len(looks) == 12
    assert looks[2] == ("", "colour0")
    css = (Path(__file__).parents[2] / "trm_edge" / "report" / "page.css").read_text()
    for (_, style), (background, _) in zip(looks[2:], PALETTE, strict=True):
        assert f".arc .{style} {{ background: {background}; }}" in css


def test_variants_are_not_rollouts() -> None:
    assert len(ARC.augmentations(1)) == 1
    with pytest.raises(ConfigError, match="-o FOLDER --augmentations N"):
        ARC.augmentations(2)


def bundled_names() -> list[str]:
    return read_names(reference_checkpoint("arc") / IDENTIFIERS_NAME)


def task_of(names: list[str] | None) -> ArcAgiTask:
    rows = 1 if names is None else len(names)
    task = ArcAgiTask(replace(SHAPE, num_puzzle_identifiers=rows))
    named = task.with_row_names(RowNames(lambda: names))
    assert isinstance(named, ArcAgiTask)
    return named


@pytest.mark.parametrize("split", ["calibration", "held_out", "examples"])
def test_the_bundled_questions_are_for_the_rows_of_the_bundled_model(split: Split) -> None:
    names = bundled_names()
    path = task_of(names).bundled_puzzles(split)
    assert path is not None
    entries = list(task_of(names).read(path))
    assert len(entries) >= 4
    for entry in entries:
        assert isinstance(entry, Entry)
        assert entry.answer is not None
        assert 0 < entry.puzzle.identifier < len(names)


def test_some_rows_of_the_bundled_model_have_its_questions_too() -> None:
    names = bundled_names()
    few = ["<blank>", *(name for name in names if name.startswith("67a3c6ac"))]
    task = task_of(few)
    path = task.bundled_puzzles("held_out")
    assert path is not None
    asked = [entry for entry in task.read(path) if isinstance(entry, Entry)]
    assert asked
    assert {entry.puzzle.identifier for entry in asked} <= set(range(1, len(few)))


def test_another_model_has_no_bundled_questions() -> None:
    names = bundled_names()
    assert task_of(None).bundled_puzzles("held_out") is None
    assert UNNAMED.bundled_puzzles("held_out") is None
    assert task_of([*names, "other"]).bundled_puzzles("examples") is None
    assert task_of(["<blank>", "other"]).bundled_puzzles("examples") is None
