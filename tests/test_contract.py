"""docs/contract.md is held to what the graphs do."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from tests.exported import exported
from tests.toys import BASE, VARIANTS
from trm_edge.bundle import Bundle
from trm_edge.config import ModelConfig
from trm_edge.manifest import Manifest, RowsRecord, TargetRecord
from trm_edge.profile import Precision
from trm_edge.step import step_inputs, step_outputs
from trm_edge.tasks.maze_cells import CHARACTERS
from trm_edge.tasks.sudoku_grid import SudokuGrid

PAGE = (Path(__file__).parents[1] / "docs" / "contract.md").read_text(encoding="utf-8")
FUSED = "com.microsoft"
GRAPHS: dict[str, tuple[Precision, str]] = {
    "int8 cpu": ("int8", "cpu"),
    "fp32 cpu": ("fp32", "cpu"),
    "int4 cpu": ("int4-weight-only", "cpu"),
    "fp16 cpu": ("fp16", "cpu"),
    "int8 gpu": ("int8", "jetson-orin-nano"),
    "fp8 gpu": ("fp8", "l4"),
}


class Step:
    """A step graph and inputs for three slots of it."""

    def __init__(self, bundle: Bundle) -> None:
        _, record = bundle.target(None)
        self.path = bundle.path / record.step
        self.config = bundle.config
        self.session = onnxruntime.InferenceSession(
            str(self.path), providers=["CPUExecutionProvider"]
        )
        self.outputs = [output.name for output in self.session.get_outputs()]
        rng = np.random.default_rng(0)
        self.shape = (3, self.config.carry_len, self.config.hidden_size)
        self.carry = np.dtype(record.carry)
        self.feeds: dict[str, NDArray[Any]] = {
            "tokens": rng.integers(0, self.config.vocab_size, (3, self.config.seq_len), np.int32),
            "puzzle_embedding": rng.normal(size=(3, self.config.puzzle_emb_ndim)).astype(
                self.carry
            ),
        }

    def run(self, z_H: NDArray[Any], z_L: NDArray[Any], reset: list[bool]) -> dict[str, Any]:
        feeds = {**self.feeds, "reset": np.array(reset), "z_H": z_H, "z_L": z_L}
        return dict(zip(self.outputs, self.session.run(self.outputs, feeds), strict=True))

    def full(self, value: float) -> NDArray[Any]:
        return np.full(self.shape, value, self.carry)


@pytest.fixture(scope="module", params=list(GRAPHS.values()), ids=list(GRAPHS))
def step(
    request: pytest.FixtureRequest, toy_dataset: Path, tmp_path_factory: pytest.TempPathFactory
) -> Step:
    precision, target = request.param
    return Step(exported(tmp_path_factory.mktemp("step"), toy_dataset, precision, (target,)))


def assert_same(first: dict[str, Any], second: dict[str, Any], slots: slice) -> None:
    for name, values in first.items():
        np.testing.assert_array_equal(values[slots], second[name][slots], err_msg=name)


@pytest.mark.parametrize("value", [np.nan, np.inf, -60000.0])
def test_a_carry_may_be_anything_while_reset_is_set(step: Step, value: float) -> None:
    zeros = step.run(step.full(0), step.full(0), [True] * 3)
    assert all(np.isfinite(output).all() for output in zeros.values())
    assert_same(zeros, step.run(step.full(value), step.full(value), [True] * 3), slice(3))


def test_slots_are_independent(step: Step) -> None:
    first = step.run(step.full(0), step.full(0), [True] * 3)
    z_H, z_L = first["z_H_next"], first["z_L_next"]
    second = step.run(z_H, z_L, [False] * 3)
    z_H, z_L = z_H.copy(), z_L.copy()
    z_H[0] = np.nan
    z_L[0] = np.nan
    mixed = step.run(z_H, z_L, [True, False, False])
    assert_same(mixed, first, slice(0, 1))
    assert_same(mixed, second, slice(1, 3))
    broken = step.run(z_H, z_L, [False] * 3)
    assert np.isnan(broken["q_halt"][0])
    assert_same(broken, second, slice(1, 3))
    assert not np.array_equal(first["q_halt"], second["q_halt"])  # zeros are not a new start


def test_ids_beyond_the_vocabulary_are_refused_and_minus_one_is_the_last(step: Step) -> None:
    tokens = step.feeds["tokens"].copy()
    try:
        step.feeds["tokens"] = np.full_like(tokens, step.config.vocab_size - 1)
        last = step.run(step.full(0), step.full(0), [True] * 3)
        step.feeds["tokens"] = np.full_like(tokens, -1)
        assert_same(last, step.run(step.full(0), step.full(0), [True] * 3), slice(3))
        step.feeds["tokens"] = np.full_like(tokens, step.config.vocab_size)
        with pytest.raises(Exception, match="out of data bounds"):
            step.run(step.full(0), step.full(0), [True] * 3)
    finally:
        step.feeds["tokens"] = tokens


def listed_operators(beginning: str) -> set[str]:
    """Operators that the page lists in the item with this beginning."""
    item = PAGE[PAGE.index(beginning) :]
    return set(re.findall(r"`([A-Z][A-Za-z]+)`", re.split(r"\n(?:-|\n)", item)[0]))


def test_operators_and_opsets_are_those_of_the_page(
    step: Step, request: pytest.FixtureRequest
) -> None:
    model = onnx.load(step.path)
    (row,) = re.findall(page_row(request.node.callspec.id), PAGE, re.MULTILINE)
    opset, fused = row
    versions = {entry.domain: entry.version for entry in model.opset_import}
    assert versions[""] == int(opset)
    assert versions.get(FUSED) == (1 if FUSED in fused else None)
    used = {domain: set[str]() for domain in ("", FUSED)}
    for node in model.graph.node:
        used[node.domain].add(node.op_type)
    assert used[""] <= listed_operators("- Standard operators of all graphs")
    assert used[FUSED] <= listed_operators("- `com.microsoft` operators")
    assert {entry.key: entry.value for entry in model.metadata_props} == {
        "format": "trm-edge.step/1"
    }


def page_row(graph: str) -> str:
    """Pattern of the page's row for a graph; its groups are the opset and other operators."""
    precision, target = graph.upper().split()
    kind = "`cpu`" if target == "CPU" else "GPU targets"
    return rf"^\| {kind},[^|]*\b{precision}\b[^|]* \| (\d+) \| ([^|]+) \|"


def test_every_tensor_is_on_the_page() -> None:
    for spec in (*step_inputs(BASE, noise=True), *step_outputs(BASE)):
        assert f"`{spec.name}`" in PAGE


def test_every_key_of_the_manifest_exists() -> None:
    known = {field.name for field in fields(Manifest)} | {"format"}
    known |= {f"model.{field.name}" for field in fields(ModelConfig)}
    known |= {f"targets.NAME.{field.name}" for field in fields(TargetRecord)}
    known |= {"files.PATH.sha256", "files.PATH.size"}
    known |= {f"rows.{field.name}" for field in fields(RowsRecord)}
    section = PAGE[PAGE.index("## What the manifest has") : PAGE.index("## Puzzle embeddings")]
    keys = re.findall(r"`([A-Za-z._0-9]+)`", "".join(re.findall(r"^\| (`[^|]+) \|", section, re.M)))
    assert len(keys) >= 12
    assert set(keys) <= known


def test_prefix_is_computed_as_the_page_says() -> None:
    for config in VARIANTS.values():
        computed = config.puzzle_emb_len or -(-config.puzzle_emb_ndim // config.hidden_size)
        assert computed == config.prefix_len
    assert replace(BASE, puzzle_emb_len=0, puzzle_emb_ndim=40).prefix_len == 2


def test_token_ids_are_those_of_the_tasks() -> None:
    rows = re.findall(
        r"^\| `sudoku` (\d+)x\d+[^|]*\| (\d+) \| (\d+) \| [^|]*: 2 to (\d+) \|", PAGE, re.M
    )
    assert [int(row[0]) for row in rows] == [4, 6, 9, 16, 25]
    for side, length, vocabulary, last in rows:
        grid = SudokuGrid(int(side))
        assert [grid.cells, grid.vocabulary] == [int(length), int(vocabulary)]
        assert len(grid.symbols) + 1 == int(last)
    ids = re.search(r"^\| `maze`.*$", PAGE, re.M)
    assert ids is not None
    expected = dict(zip("#SGo", (1, 3, 4, 5), strict=True))
    for character, token in expected.items():
        assert CHARACTERS[token] == character
        assert re.search(rf"{token} \w+ `{character}`", ids[0])
