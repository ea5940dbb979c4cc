"""The shipped JSON Schemas: as generated, and kept by what the commands print and write."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.cli.commands import LINE, run
from trm_edge import records
from trm_edge.bundle import CALIBRATION, MANIFEST
from trm_edge.errors import ConfigError
from trm_edge.evaluation import ranking
from trm_edge.evaluation.ranking import LayerRanking, LayerSensitivity
from trm_edge.schemas import PLAIN_FILES, RECORDS, encode_schema, load_schema, schema_file_name
from trm_edge.schemas.descriptions import split_docstring

FILES = resources.files("trm_edge.schemas")


def check(name: str, text: str) -> None:
    """Validate the JSON of a record and every object in it."""
    jsonschema.validate(json.loads(text), load_schema(name), jsonschema.Draft202012Validator)


@pytest.mark.parametrize("name", [*RECORDS, *PLAIN_FILES])
def test_files_are_as_generated(name: str) -> None:
    """Run tools/make_schemas.py after changing a record."""
    assert (FILES / schema_file_name(name)).read_text(encoding="utf-8") == encode_schema(name)


def test_there_is_no_file_of_another_format() -> None:
    files = {file.name for file in FILES.iterdir() if file.name.endswith(".json")}
    assert files == {schema_file_name(name) for name in (*RECORDS, *PLAIN_FILES)}


@pytest.mark.parametrize(
    ("attempt", "is_valid"),
    [([], True), ([[0, 9]], True), ([[10]], False), ([[1]] * 31, False), ([[]], False)],
)
def test_a_submission_has_a_schema(attempt: list[list[int]], is_valid: bool) -> None:
    schema = load_schema("arc-submission")
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    entry = {"attempt_1": attempt, "attempt_2": [[1]]}
    assert validator.is_valid({"a": [entry]}) is is_valid
    assert not validator.is_valid({"a": [{"attempt_1": [[1]]}]})
    assert not validator.is_valid({"a": [{**entry, "attempt_3": [[1]]}]})
    assert not validator.is_valid({"a": []})


def test_a_ranking_has_a_schema() -> None:
    validator = jsonschema.Draft202012Validator(load_schema("arc-ranking"))
    answer = {"votes": 2, "confidence": 0.5}
    assert validator.is_valid({"a": [[{**answer, "grid": [[1]]}, answer], []]})
    assert not validator.is_valid({"a": [[{"votes": 2}]]})


@pytest.mark.parametrize("name", RECORDS)
def test_schemas_are_valid_and_closed(name: str) -> None:
    schema = load_schema(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["properties"]["format"]["const"].startswith(f"trm-edge.{name}/")
    assert schema["additionalProperties"] is False
    for part in schema["$defs"].values():
        assert part.get("additionalProperties", False) is False


def test_parity_output(toy_bundle: Path) -> None:
    check("parity", run("parity", toy_bundle, "--json").stdout)


def test_bench_output(toy_bundle: Path) -> None:
    options = ("--batch", 1, "--rounds", 3, "--puzzles", 2, "--threads", 1)
    check("bench", run("bench", toy_bundle, *options, "--json").stdout)


def test_inspect_output_and_manifest(toy_bundle: Path) -> None:
    check("bundle", run("inspect", toy_bundle, "--json").stdout)
    check("bundle", (toy_bundle / MANIFEST).read_text())


def test_doctor_output() -> None:
    check("doctor", run("doctor", "--json").stdout)


def test_targets_output() -> None:
    check("targets", run("targets", "--json").stdout)
    check("targets", run("targets", "l4", "--json").stdout)


def test_solution_lines(toy_bundle: Path) -> None:
    lines = run("solve", toy_bundle, "-", "--format", "json", stdin=f"{LINE}\n").stdout.splitlines()
    assert len(lines) == 1
    check("solution", lines[0])


def test_regress_output_and_baseline(toy_bundle: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    options = ("--baseline", baseline, "--no-speed")
    assert run("regress", toy_bundle, *options, "--update").exit_code == 0
    check("baseline", baseline.read_text())
    check("regress", run("regress", toy_bundle, *options, "--json").stdout)


def test_calibration_file(toy_bundle: Path) -> None:
    check("calibration", (toy_bundle / CALIBRATION).read_text())


def test_sensitivity_file() -> None:
    layer = LayerSensitivity("layers.0.mlp.down_proj", 1e-4, 2e-4, 0.1, 1, 0)
    check("sensitivity", records.encode(LayerRanking(8, (layer,)), ranking.FORMAT))


@pytest.mark.parametrize(
    "change",
    [{"extra": 1}, {"puzzles": "8"}, {"format": "trm-edge.sensitivity/9"}, {"layers": [{}]}],
)
def test_other_content_is_refused(change: dict[str, Any]) -> None:
    content = json.loads(records.encode(LayerRanking(8, ()), ranking.FORMAT))
    content.update(change)
    with pytest.raises(jsonschema.ValidationError):
        check("sensitivity", json.dumps(content))


def test_an_unknown_record() -> None:
    with pytest.raises(
        ConfigError, match="no record 'chess'; the records are answers, arc-comparison"
    ):
        load_schema("chess")


def test_fields_are_described() -> None:
    properties = load_schema("parity")["$defs"]["HaltingParity"]["properties"]
    assert properties["agreement"] == {
        "description": "share of puzzles that stop at the same step, 0..1.",
        "type": "number",
    }


@pytest.mark.parametrize("indent", ["", "    "])
def test_a_docstring_is_split_whatever_its_indent(indent: str) -> None:
    lines = ["", "Args:", "    a: one", "        two ``three``.", "", "Raises:", "    E: b: c."]
    docstring = "\n".join(["Summary.", *(f"{indent}{line}" if line else "" for line in lines)])
    assert split_docstring(docstring) == ("Summary.", {"a": "one two three."})
