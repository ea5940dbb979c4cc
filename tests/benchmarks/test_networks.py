"""The benchmark of each network of a model alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import numpy_helper

from tests.benchmarks.scripts import library, script
from tests.toys import BASE, FAMILY, toy_model, toy_table, toy_tokens, write_run
from trm_edge.progress import silent
from trm_edge.puzzle import Puzzle

pytest.importorskip("modelopt", reason="needs the bench extra: pip install -e '.[bench]'")

HRM = FAMILY["hrm-mlp"]


@pytest.fixture
def subject(tmp_path: Path) -> Any:
    puzzles = [Puzzle(tokens) for tokens in toy_tokens(HRM, 4)]
    return library("quantization_rows").Subject(
        toy_model(HRM), toy_table(HRM), puzzles, tmp_path, silent
    )


def quantized_weights(graph: onnx.ModelProto) -> dict[str, np.ndarray[Any, Any]]:
    """Weights of 8 bits by name."""
    weights = {}
    for initializer in graph.graph.initializer:
        values = numpy_helper.to_array(initializer)
        if values.dtype == np.int8 and values.ndim == 2:
            weights[initializer.name] = values
    return weights


def test_networks_that_are_left_out_stay_in_float(subject: Any) -> None:
    rows = library("quantization_rows")
    both = quantized_weights(
        rows.by_network("int8", {"H_level": rows.INT8, "L_level": rows.INT8})(subject)
    )
    upper = quantized_weights(rows.by_network("int8", {"H_level": rows.INT8})(subject))
    lower = quantized_weights(rows.by_network("int8", {"L_level": rows.INT8})(subject))
    assert all(name.startswith("H_level.") for name in upper)
    assert not any(name.startswith("H_level.") for name in lower)
    assert upper.keys() | lower.keys() == both.keys()
    assert len(upper) == 2 * len(lower) > 0  # two blocks, one block


def test_one_recipe_for_all_networks_is_the_whole_model(subject: Any) -> None:
    rows = library("quantization_rows")
    recipes = {"H_level": rows.INT8, "L_level": rows.INT8}
    assert rows.by_network("int8", recipes)(subject) == rows.ours("int8", rows.INT8)(subject)


def test_the_table_has_a_row_for_each_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library("quantization_bench"), "CALIBRATION_PUZZLES", 2)
    config = replace(
        HRM, seq_len=81, vocab_size=11, num_puzzle_identifiers=1, halt_max_steps=2, H_cycles=1
    )
    checkpoint = write_run(tmp_path / "run", config)
    document = tmp_path / "page.md"
    document.write_text("<!-- table networks -->\n<!-- end -->\n")
    output = tmp_path / "networks.json"
    result = CliRunner().invoke(
        script("networks").main,
        f"{checkpoint} --puzzles 4 --threads 1 --update {document} --json {output}".split(),
    )
    assert result.exit_code == 0, result.output
    for row in ("both networks", "z_L's network alone", "both, z_H's network by token"):
        assert f"| INT8, {row} |" in document.read_text()
        assert f"| FP8, {row} |" in document.read_text()
    assert len(json.loads(output.read_text())) == 11


def test_a_model_with_one_network_is_refused(tmp_path: Path) -> None:
    checkpoint = write_run(tmp_path / "run", BASE)
    result = CliRunner().invoke(script("networks").main, [str(checkpoint)])
    assert result.exit_code == 1
    assert "a trm model has 1. Name an HRM checkpoint." in result.output
