from __future__ import annotations

from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

import pytest

from tests.batch.runs import SETTINGS
from trm_edge import records
from trm_edge.batch.fingerprint import RUN_FORMAT, Fingerprint
from trm_edge.batch.output_folder import RUN_NAME, OutputFolder
from trm_edge.batch.solve_options import SolveOptions
from trm_edge.bundle import Bundle
from trm_edge.cli.search_options import SearchOptions
from trm_edge.errors import RecordError
from trm_edge.loop.halting import HaltingRule

SEARCH = SearchOptions.one_try()
# Another value than that of SETTINGS, for every option.
OTHERS: dict[str, Any] = {
    "rollouts": 8,
    "explore": ("forms", "noise"),
    "sigma": 0.5,
    "explore_seed": 7,
    "select": "q",
    "min_confidence": 0.5,
    "only_valid": True,
    "answer_if": 0.25,
    "deadline_ms": 100.0,
}
# What the first version with runs wrote.
OLD_RECORD = """{
  "format": "trm-edge.solve-run/1",
  "version": "1",
  "answers": 1,
  "bundle": "BUNDLE",
  "target": "cpu",
  "precision": "fp32",
  "backend": "fake",
  "halting": "adaptive",
  "rollouts": 1,
  "explore": [],
  "sigma": null,
  "explore_seed": 0,
  "select": null,
  "min_confidence": 1.0,
  "only_valid": false,
  "answer_if": 0.0,
  "deadline_ms": null,
  "input": "INPUT"
}
"""


@pytest.fixture
def bundle(old_bundles: Path) -> Bundle:
    return Bundle.open(old_bundles / "toy-fp32")


def fingerprint_of(bundle: Bundle, **search: Any) -> Fingerprint:
    halting = HaltingRule.from_config(bundle.config)
    options = SolveOptions.of(
        bundle, None, halting=halting, search=replace(SEARCH, **search), slots=4
    )
    return Fingerprint.of(bundle, options, "onnxruntime", "a" * 64)


@pytest.mark.parametrize("name", [option.name for option in fields(SearchOptions)])
def test_every_search_option_is_in_it(name: str) -> None:
    """A new option that changes answers needs a value in OTHERS, and nothing else."""
    other = replace(SETTINGS, **{name: OTHERS[name]})
    (difference,) = SETTINGS.differences(other)
    assert difference.startswith(f"--{name.replace('_', '-')} was ")


@pytest.mark.parametrize("name", [field.name for field in fields(Fingerprint)])
def test_every_field_is_compared_and_written(tmp_path: Path, name: str) -> None:
    before = getattr(SETTINGS, name)
    other = OTHERS.get(name, f"{before}-other" if isinstance(before, str) else 99)
    changed = replace(SETTINGS, **{name: other})
    assert len(SETTINGS.differences(changed)) == 1
    folder = OutputFolder(tmp_path)
    folder.begin(changed)
    assert folder.fingerprint() == changed


def test_no_field_has_a_default() -> None:
    """A setting that a record does not have would be taken for the default."""
    for field in fields(Fingerprint):
        assert field.default is MISSING, field.name
        assert field.default_factory is MISSING, field.name


def test_a_record_of_the_first_release_is_read(tmp_path: Path) -> None:
    text = OLD_RECORD.replace("BUNDLE", SETTINGS.bundle).replace("INPUT", SETTINGS.input)
    (tmp_path / RUN_NAME).write_text(text)
    assert OutputFolder(tmp_path).fingerprint() == SETTINGS
    written = records.encode(SETTINGS, RUN_FORMAT)
    assert sorted(written.split(",\n")) != []
    assert set(written.splitlines()) >= {'  "rollouts": 1,', '  "explore": [],'}


@pytest.mark.parametrize("damage", ["cut", "missing", "unknown"])
def test_a_damaged_record_says_what_to_do(tmp_path: Path, damage: str) -> None:
    text = records.encode(SETTINGS, RUN_FORMAT)
    if damage == "cut":
        text = text[: len(text) // 2]
    elif damage == "missing":
        text = text.replace('  "rollouts": 1,\n', "")
    else:
        text = text.replace('"rollouts"', '"rollout"')
    (tmp_path / RUN_NAME).write_text(text)
    with pytest.raises(RecordError, match="Choose another folder, or delete this one"):
        OutputFolder(tmp_path).fingerprint()


def test_defaults_of_the_task_are_filled_in(bundle: Bundle) -> None:
    several = fingerprint_of(bundle, rollouts=4)
    assert several.explore == ("forms",)
    assert several.select == "valid"
    named = fingerprint_of(bundle, rollouts=4, explore=("forms",), select="valid")
    assert several.differences(named) == []


def test_a_single_try_has_neither_explorers_nor_a_selector(bundle: Bundle) -> None:
    single = fingerprint_of(bundle)
    assert (single.explore, single.select) == ((), None)
    assert single.differences(fingerprint_of(bundle, select="q")) == []
    assert single.target == "cpu"
    assert single.halting.startswith("adaptive")


def test_a_confidence_that_ends_the_tries_chooses_the_selector(bundle: Bundle) -> None:
    assert fingerprint_of(bundle, rollouts=4, min_confidence=0.5).select == "q"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"sigma": 0.5}, "--sigma was not set and is 0.5"),
        ({"explore": ("forms", "noise")}, "--explore was not set and is forms,noise"),
        ({"only_valid": True}, "--only-valid was off and is on"),
        ({"input": "e" * 64}, "the input (sha256) was aaaaaaaaaaaa… and is eeeeeeeeeeee…"),
        ({"precision": "int8"}, "the precision was fp32 and is int8"),
    ],
)
def test_differences_name_both_values(values: dict[str, Any], text: str) -> None:
    assert SETTINGS.differences(replace(SETTINGS, **values)) == [text]
