"""JSON Schemas of every record that trm-edge writes or prints, and the registry they come from.

``NAME-VERSION.json`` in this folder is the schema of the format ``trm-edge.NAME/VERSION``.
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
from trm_edge.schemas.descriptions import describe_properties


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


# By the name in the format line after ``trm-edge.``.
RECORDS: dict[str, RegisteredRecord] = {
    "answers": RegisteredRecord("trm_edge.serve.replies", "AnswerList", "ANSWERS_FORMAT"),
    "arc-metrics": RegisteredRecord("trm_edge.arc.voting", "VoteMetrics", "METRICS_FORMAT"),
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
    "layers": RegisteredRecord("trm_edge.cli.inspect", "EngineLayers", "LAYERS_FORMAT"),
    "parity": RegisteredRecord("trm_edge.evaluation.parity_record", "ParityResult"),
    "regress": RegisteredRecord("trm_edge.regression.result", "RegressionResult"),
    "sensitivity": RegisteredRecord("trm_edge.evaluation.ranking", "LayerRanking"),
    "served": RegisteredRecord("trm_edge.serve.replies", "ServedBundle", "SERVED_FORMAT"),
    "solution": RegisteredRecord("trm_edge.cli.answers", "SolutionRecord", "SOLUTION_FORMAT"),
    "targets": RegisteredRecord("trm_edge.cli.targets", "TargetList"),
}


def schema_file_name(name: str) -> str:
    """Name the file of a record's current schema.

    Args:
        name: key of ``RECORDS``.

    Raises:
        ConfigError: there is no such record.
    """
    return f"{name}-{_format(name).version}.json"


def generate_schema(name: str) -> dict[str, Any]:
    """Generate the JSON Schema (2020-12) of a record from its dataclass.

    Args:
        name: key of ``RECORDS``.

    Raises:
        ConfigError: there is no such record.
    """
    entry = _entry(name)
    dataclass = getattr(importlib.import_module(entry.module), entry.dataclass)
    schema = record_schema.schema(dataclass, _format(name))
    describe_properties(schema)
    return schema


def encode_schema(name: str) -> str:
    """Encode the schema of a record as its file has it.

    Args:
        name: key of ``RECORDS``.

    Raises:
        ConfigError: there is no such record.
    """
    return json.dumps(generate_schema(name), indent=2) + "\n"


def load_schema(name: str) -> dict[str, Any]:
    """Load the shipped JSON Schema of a record.

    Args:
        name: key of ``RECORDS``, such as ``parity``.

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
