from __future__ import annotations

import json
from dataclasses import replace

from tests.regression.measurements import MACHINE
from trm_edge import record_schema, records, typed_values
from trm_edge.regression.check import Change, Check
from trm_edge.regression.result import FORMAT, RegressionResult, overall

CHECK = Check(
    id="exact_match.fixed",
    verdict="ok",
    unit="share",
    before=0.982,
    now=0.979,
    change=Change(-0.003, (-0.007, 0.001)),
    budget=-0.005,
)


def test_json_is_data() -> None:
    result = RegressionResult(
        bundle="b",
        target="cpu",
        precision="int8",
        engine="ONNX Runtime",
        baseline="cpu.json",
        machine=MACHINE,
        verdict="ok",
        checks=(CHECK,),
    )
    content = json.loads(records.encode(result, FORMAT))
    assert next(iter(content)) == "format"
    assert content["format"] == "trm-edge.regress/1"
    assert content["machine"]["cpu"] == "a CPU"
    assert content["checks"] == [
        {
            "id": "exact_match.fixed",
            "verdict": "ok",
            "unit": "share",
            "before": 0.982,
            "now": 0.979,
            "change": {
                "value": -0.003,
                "interval": [-0.007, 0.001],
                "relative": False,
                "level": 0.95,
            },
            "budget": -0.005,
            "reason": None,
        }
    ]
    del content["format"]
    assert typed_values.build(RegressionResult, content) == result


def test_it_has_a_schema() -> None:
    schema = record_schema.schema(RegressionResult, FORMAT)
    assert schema["properties"]["format"] == {"const": "trm-edge.regress/1"}
    assert "checks" in schema["required"]


def test_the_worst_verdict_counts() -> None:
    worse = replace(CHECK, verdict="regressed")
    undecided = replace(CHECK, verdict="inconclusive")
    assert overall([CHECK]) == "ok"
    assert overall([CHECK, undecided]) == "inconclusive"
    assert overall([undecided, worse]) == "regressed"
