"""The tables of quantization: rows of a toy, what is measured twice, and a missing model."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import click
import pytest
from click.testing import CliRunner

from tests.benchmarks.scripts import library, script
from tests.toys import BASE, write_run
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.progress import silent

pytest.importorskip("modelopt", reason="needs the bench extra: pip install -e '.[bench]'")

import numpy as np
import onnx
from onnx import numpy_helper

# Small, and of the bundled puzzles' task.
SUDOKU = replace(
    BASE, seq_len=81, vocab_size=11, num_puzzle_identifiers=1, halt_max_steps=2, H_cycles=1
)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(library("quantization_bench"), "CALIBRATION_PUZZLES", 2)
    checkpoint = load_checkpoint(write_run(tmp_path / "run", SUDOKU))
    with ThreadPoolExecutor(2) as pool:
        yield library("quantization_bench").QuantizationBench(
            "toy", checkpoint, 4, tmp_path, silent, pool
        )


def test_rows_stand_in_order_with_figures_of_their_own(bench: Any) -> None:
    rows = library("quantization_rows").DEFAULTS_OF["sudoku-wide"]
    results: dict[str, Any] = {}
    lines = bench.table(rows, 4, results).splitlines()
    head, _, float32, *others = lines
    assert head.startswith("| 4 puzzles | fixed |")
    assert float32.startswith("| float32 | 0.0 | |  | 0.0 |")
    labels = [line.split(" | ")[0] for line in others]
    assert labels == ["| bfloat16", "| INT8", "| FP8", "| INT4 weights only"]
    assert len(set(others)) == 4
    assert {line.count("|") for line in lines} == {11}
    for label in rows:
        assert results[f"toy, 4 puzzles: {label}"]["puzzles"] == 4


def test_a_size_is_that_of_the_graph(bench: Any) -> None:
    rows = library("quantization_rows")
    results: dict[str, Any] = {}
    bench.table({"bfloat16": rows.in_bfloat16, "INT8": rows.ours("int8", rows.INT8)}, 2, results)
    graph = rows.ours("int8", rows.INT8)(bench.subject)
    assert results["toy, 2 puzzles: INT8"]["bytes"] == len(graph.SerializeToString())
    assert results["toy, 2 puzzles: bfloat16"]["bytes"] == 0


def test_a_row_is_solved_once_for_both_tables(
    bench: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = library("quantization_rows")
    default = rows.ours("int8", rows.INT8)
    bench.table({"INT8": default}, 4, {})
    assert "toy | INT8 |" in capsys.readouterr().err
    table = bench.table({"INT8, the default": default}, 2, {})
    assert capsys.readouterr().err == ""
    assert "| INT8, the default |" in table


def test_rows_begin_before_their_table_is_asked_for(bench: Any) -> None:
    rows = library("quantization_rows")
    begun = Event()

    def row(subject: Any) -> Any:
        begun.set()
        return rows.in_bfloat16(subject)

    bench.start({"bfloat16": row}, 2)
    assert begun.wait(60)


def test_the_graphs_of_a_run_are_removed(bench: Any, tmp_path: Path) -> None:
    rows = library("quantization_rows")
    bench.table({"FP8": rows.ours("fp8", rows.FP8)}, 2, {})
    assert list(tmp_path.glob("*.onnx")) == []


def test_rounded_weights_have_so_many_levels_and_nothing_else_changes(bench: Any) -> None:
    rows = library("quantization_rows")
    checkpoint = {name: array.copy() for name, array in _weights(rows.in_float32(bench.subject))}
    rounded = dict(_weights(rows.rounded_weights(4)(bench.subject)))
    assert rounded.keys() == checkpoint.keys()
    changed = [name for name in rounded if not np.array_equal(rounded[name], checkpoint[name])]
    assert changed == [name for name in rounded if "_proj" in name]
    for name in changed:
        scale = np.abs(checkpoint[name]).max(0) / 7  # (inputs, outputs): a scale a column
        levels = rounded[name] / scale
        np.testing.assert_allclose(levels, np.rint(levels), atol=1e-4)
        assert np.abs(rounded[name] - checkpoint[name]).max() <= scale.max() / 2 * 1.0001
    again = dict(_weights(rows.in_float32(bench.subject)))
    assert all(np.array_equal(again[name], checkpoint[name]) for name in checkpoint)


def _weights(graph: onnx.ModelProto) -> list[tuple[str, Any]]:
    return [
        (tensor.name, numpy_helper.to_array(tensor))
        for tensor in graph.graph.initializer
        if len(tensor.dims) == 2
    ]


def test_what_rounding_changes_is_measured_alone(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark = script("quantization")
    folder = write_run(tmp_path / "toy", SUDOKU)
    monkeypatch.setattr(benchmark, "checkpoint_of", lambda name: folder)
    document = tmp_path / "page.md"
    document.write_text("<!-- table sudoku rounding -->\n<!-- end -->\n")
    arguments = ["--model", "sudoku", "--rounding", "--puzzles", "2", "--update", str(document)]
    result = CliRunner().invoke(benchmark.main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    lines = document.read_text().splitlines()
    labels = [line.split(" | ")[0] for line in lines[4:-1]]
    assert labels == [f"| weights of {bits} bits" for bits in (6, 7, 8, 10, 12)]


def test_a_model_that_is_not_in_the_checkout_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    references = library("references")
    monkeypatch.setattr(references, "_FOLDER", tmp_path)
    with pytest.raises(click.ClickException, match=r"train_reference.py sudoku-wide .* then "):
        references.checkpoint_of("sudoku-wide")
    write_run(tmp_path / "sudoku-wide", BASE)
    assert references.checkpoint_of("sudoku-wide") == tmp_path / "sudoku-wide"
