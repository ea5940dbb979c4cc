"""What a page can show, and what site.json has."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.page.samples import with_float32
from trm_edge.bundle import Bundle
from trm_edge.errors import BundleError, ConfigError
from trm_edge.page.content import graphs_of, site_content, task_of


@pytest.fixture
def bundle(old_bundles: Path, tmp_path: Path) -> Path:
    """A bundle of a Sudoku model that the test may change."""
    return Path(shutil.copytree(old_bundles / "toy-fp32", tmp_path / "bundle"))


def change_target(bundle: Path, **values: Any) -> None:
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["targets"]["cpu"].update(values)
    path.write_text(json.dumps(manifest))


def test_one_graph_has_nothing_to_be_compared_with(bundle: Path) -> None:
    (graph,) = graphs_of(Bundle.open(bundle))
    assert (graph.name, graph.label) == ("cpu", "float32")
    assert (graph.step, graph.path) == ("cpu/step.onnx", "bundle/cpu/step.onnx.gz")


def test_float32_beside_the_target(bundle: Path) -> None:
    change_target(bundle, precision="int8")
    graphs = graphs_of(Bundle.open(with_float32(bundle)))
    assert [(graph.name, graph.label) for graph in graphs] == [
        ("cpu", "INT8"),
        ("float32", "float32"),
    ]
    assert graphs[1].step == "float32/step.onnx"


def test_a_bundle_for_gpus_alone_is_refused(bundle: Path) -> None:
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["targets"] = {"l4": manifest["targets"]["cpu"]}
    path.write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=r"no target 'cpu'; it has l4.*--into .* --target cpu"):
        graphs_of(Bundle.open(bundle))


def test_float16_is_refused(bundle: Path) -> None:
    change_target(bundle, carry="float16", precision="fp16")
    with pytest.raises(BundleError, match=r"carries of float16.*--int8 or --fp32"):
        graphs_of(Bundle.open(bundle))


def test_another_task_is_refused(toy_bundle: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"the tasks arc, maze, nano-sudoku and sudoku, but .* is tokens.*--watch"
    ):
        task_of(Bundle.open(toy_bundle))


def test_the_content_is_what_the_scripts_need(bundle: Path) -> None:
    opened = Bundle.open(bundle)
    content = site_content(opened, graphs_of(opened), {}, "1.2.3", 4_000_000)
    content = json.loads(json.dumps(content))
    assert content["format"] == "trm-edge.page/1"
    assert content["task"]["name"] == "sudoku"
    assert (content["task"]["columns"], content["task"]["boxes"]) == (9, [3, 3])
    assert content["task"]["looks"][2] == ["1", "digit"]
    assert (content["runtime"], content["download"]) == ("1.2.3", 4_000_000)
    assert len(content["examples"][0]["tokens"]) == 81
