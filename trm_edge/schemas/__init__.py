"""JSON Schemas of every record that trm-edge writes or prints, and the registry they come from.

``NAME-VERSION.json`` in this folder is the schema of the format ``trm-edge.NAME/VERSION``. Two
files of ARC-AGI have their tasks as keys and no format; their schemas are named likewise.
``tools/make_schemas.py`` writes the files.
"""

from __future__ import annotations

import importlib
import json
from importlib import resources
from typing import Any, NamedTuple

from trm_edge import record_schema
from trm_edge.errors import ConfigError
from trm_edge.records import Format
from trm_edge.schemas.descriptions import describe_inherited, describe_properties


class RegisteredRecord(NamedTuple):
    """A record's dataclass and format, by name so that they are imported on first use.

    Args:
        module: module with both.
        dataclass: name of the dataclass.
        format: name of the :class:`~trm_edge.records.Format`.
    """

    module: str
    dataclass: str
    format: str = "FORMAT"


class RegisteredFile(NamedTuple):
    """A JSON file without a format line: the module and name of its type, and a description.

    Args:
        module: module with the type.
        type_name: of a type that msgspec knows.
        version: of the schema.
        description: what the file holds.
    """

    module: str
    type_name: str
    version: int
    description: str


# By the name in the format line after ``trm-edge.``.
RECORDS: dict[str, RegisteredRecord] = {
    "answers": RegisteredRecord("trm_edge.serve.replies", "AnswerList", "ANSWERS_FORMAT"),
    "arc-comparison": RegisteredRecord(
        "trm_edge.arc.comparison", "SubmissionComparison", "COMPARISON_FORMAT"
    ),
    "arc-metrics": RegisteredRecord("trm_edge.arc.voting", "VoteMetrics", "METRICS_FORMAT"),
    "arc-run": RegisteredRecord("trm_edge.arc.run_folder", "RunRecord", "RUN_FORMAT"),
    "arc-score": RegisteredRecord("trm_edge.arc.scoring", "SubmissionScore", "SCORE_FORMAT"),
    "bad-line": RegisteredRecord("trm_edge.cli.answers", "BadLineRecord", "BAD_LINE_FORMAT"),
    "baseline": RegisteredRecord("trm_edge.regression.baseline_record", "BaselineRecord"),
    "bench": RegisteredRecord("trm_edge.evaluation.bench_file", "BenchRecord"),
    "bundle": RegisteredRecord("trm_edge.manifest", "Manifest"),
    "calibration": RegisteredRecord("trm_edge.calibration_record", "CalibrationRecord"),
    "doctor": RegisteredRecord("trm_edge.doctor", "DoctorReport"),
    "engine": RegisteredRecord("trm_edge.engines.record", "EngineRecord"),
    "error": RegisteredRecord("trm_edge.serve.replies", "ErrorReply", "ERROR_FORMAT"),
    "floor": RegisteredRecord("trm_edge.evaluation.floor", "NumericsFloor"),
    "health": RegisteredRecord("trm_edge.serve.replies", "Health", "HEALTH_FORMAT"),
    "layers": RegisteredRecord("trm_edge.cli.layer_output", "EngineLayers", "LAYERS_FORMAT"),
    "parity": RegisteredRecord("trm_edge.evaluation.parity_record", "ParityResult"),
    "regress": RegisteredRecord("trm_edge.regression.result", "RegressionResult"),
    "sensitivity": RegisteredRecord("trm_edge.evaluation.ranking", "LayerRanking"),
    "served": RegisteredRecord("trm_edge.serve.replies", "ServedBundle", "SERVED_FORMAT"),
    "solution": RegisteredRecord("trm_edge.cli.answers", "SolutionRecord", "SOLUTION_FORMAT"),
    "solve-run": RegisteredRecord("trm_edge.batch.fingerprint", "Fingerprint", "RUN_FORMAT"),
    "targets": RegisteredRecord("trm_edge.cli.targets", "TargetList"),
}


PLAIN_FILES: dict[str, RegisteredFile] = {
    "arc-ranking": RegisteredFile(
        "trm_edge.arc.voting",
        "RankingFile",
        1,
        "By task, for each of its test inputs, the answers with their votes, best first.",
    ),
    "arc-submission": RegisteredFile(
        "trm_edge.arc.submission",
        "SubmissionFile",
        1,
        "By task, two attempts at each of its test inputs. Rows of a grid are equally long.",
    ),
}


def schema_file_name(name: str) -> str:
    """Name the file of a record's or file's current schema.

    Args:
        name: key of ``RECORDS`` or ``PLAIN_FILES``.

    Raises:
        ConfigError: there is no such record.
    """
    if name in PLAIN_FILES:
        return f"{name}-{PLAIN_FILES[name].version}.json"
    return f"{name}-{_format(name).version}.json"


def generate_schema(name: str) -> dict[str, Any]:
    """Generate the JSON Schema (2020-12) of a record from its dataclass, or of a file's type.

    Args:
        name: key of ``RECORDS`` or ``PLAIN_FILES``.

    Raises:
        ConfigError: there is no such record.
    """
    if name in PLAIN_FILES:
        file = PLAIN_FILES[name]
        file_type = getattr(importlib.import_module(file.module), file.type_name)
        schema = record_schema.file_schema(file_type, file.description)
        describe_properties(schema)
        return schema
    entry = _entry(name)
    dataclass = getattr(importlib.import_module(entry.module), entry.dataclass)
    schema = record_schema.schema(dataclass, _format(name))
    describe_properties(schema)
    describe_inherited(schema, dataclass)
    return schema


def encode_schema(name: str) -> str:
    """Encode the schema of a record or file as it is shipped.

    Args:
        name: key of ``RECORDS`` or ``PLAIN_FILES``.

    Raises:
        ConfigError: there is no such record.
    """
    return json.dumps(generate_schema(name), indent=2) + "\n"


def load_schema(name: str) -> dict[str, Any]:
    """Load the shipped JSON Schema of a record or file.

    Args:
        name: key of ``RECORDS`` or ``PLAIN_FILES``, such as ``parity``.

    Raises:
        ConfigError: there is no such record.

    >>> load_schema("parity")["properties"]["format"]
    {'const': 'trm-edge.parity/1'}
    """
    file = resources.files(__name__) / schema_file_name(name)
    schema: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return schema


def _entry(name: str) -> RegisteredRecord:
    if name not in RECORDS:
        raise ConfigError(f"no record {name!r}; the records are {', '.join(RECORDS)}.")
    return RECORDS[name]


def _format(name: str) -> Format:
    entry = _entry(name)
    record_format: Format = getattr(importlib.import_module(entry.module), entry.format)
    return record_format
