"""Forms of INT8 weights: the same products, and what the benchmark of them writes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import numpy_helper

from tests.benchmarks.scripts import library, script
from tests.toys import BASE
from trm_edge.graph_guard import integer_weights

pytest.importorskip("modelopt", reason="needs the bench extra: pip install -e '.[bench]'")

TOY = replace(BASE, num_puzzle_identifiers=1)
RATIO = {"median": 1.0, "low": 0.9, "high": 1.1}


@pytest.fixture(scope="module")
def graph() -> onnx.ModelProto:
    """The INT8 graph of a toy with random weights."""
    runners = library("step_runners")
    model = library("published_sizes").random_model_of(TOY)
    inputs = runners.int8_graph_inputs(model, runners.StepArguments(model, 2))
    made: onnx.ModelProto = script("integer_forms")._graphs(inputs)["scaled"]
    return made


def test_unsigned_weights_keep_every_value(graph: onnx.ModelProto) -> None:
    unsigned = library("integer_forms").with_unsigned_weights(graph)
    onnx.checker.check_model(unsigned)
    codes = integer_weights(graph.SerializeToString())
    assert codes
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in unsigned.graph.initializer}
    for name, signed in codes.items():
        assert stored[name].dtype == np.uint8
        zero = stored[f"{name}.unsigned"].astype(int)
        assert np.array_equal(stored[name].astype(int) - zero, signed)


def test_seven_bits_round_the_weights(graph: onnx.ModelProto) -> None:
    rounded = library("integer_forms").with_seven_bits(graph)
    codes = integer_weights(graph.SerializeToString())
    for name, half in integer_weights(rounded.SerializeToString()).items():
        assert np.abs(half).max() <= 64
        assert np.abs(2 * half.astype(int) - codes[name]).max() <= 1


def test_other_instruction_sets_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = script("integer_forms")
    model = library("published_sizes").random_model_of(TOY)
    monkeypatch.setattr(benchmark, "random_model", lambda size: model)
    ratios = dict.fromkeys(("float32", "seven bits", "unsigned"), RATIO)
    row = {"slots": 1, "same carries": True, **ratios}
    other = {
        "size": "toy",
        "machine": "elsewhere",
        "exact at the largest values": True,
        "rows": [row],
    }
    (tmp_path / "integer_forms.json").write_text(json.dumps({"elsewhere": other}))
    arguments = ["--batch", "1", "--batch", "4", "--rounds", "1", "--seconds", "0"]
    result = CliRunner().invoke(
        benchmark.main, [*arguments, "--output", str(tmp_path)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "integer_forms.json").read_text())
    assert report.pop("elsewhere") == other
    (here,) = report.values()
    assert [row["slots"] for row in here["rows"]] == [1, 4]
    assert all(row["same carries"] for row in here["rows"])
    assert "| elsewhere | yes | 1 |" in (tmp_path / "integer_forms.md").read_text()
