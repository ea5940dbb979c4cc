"""``trm-edge build`` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.exported import exported
from trm_edge.bundle import Bundle
from trm_edge.cli.main import cli
from trm_edge.files import hash_file


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, toy_dataset: Path) -> Bundle:
    return exported(tmp_path_factory.mktemp("l4"), toy_dataset, "fp16", ("cpu", "l4"))


def build(bundle: Bundle, *options: str) -> Result:
    return CliRunner().invoke(cli, ["build", str(bundle.path), *options])


def test_trtexec_prints_the_command_of_the_only_gpu_target(bundle: Bundle) -> None:
    result = build(bundle, "--trtexec")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"trtexec --onnx={bundle.path / 'l4' / 'step.onnx'}")


def test_sizes_that_do_not_rise_are_misuse(bundle: Bundle) -> None:
    result = build(bundle, "--batch", "4", "2", "8")
    assert result.exit_code == 2
    assert "three rising numbers (minimum, optimum, maximum), but got 4 2 8" in result.stderr


def test_a_target_without_an_engine_is_an_error(bundle: Bundle) -> None:
    result = build(bundle, "--target", "cpu", "--compiler", "tensorrt")
    assert result.exit_code == 1
    assert "cpu needs no engine" in result.stderr


@pytest.mark.parametrize("capability", ["8.9", "12.0"])
def test_tensorrt_rtx_compiles_without_a_gpu(bundle: Bundle, capability: str) -> None:
    pytest.importorskip("tensorrt_rtx")
    result = build(bundle, "--compiler", "tensorrt-rtx", "--compute-capability", capability)
    assert result.exit_code == 0, result.output
    folder = bundle.path / "l4"
    record = json.loads((folder / "build.json").read_text())
    assert record["compute_capability"] == capability
    assert record["engine_sha256"] == hash_file(folder / "step.engine")
    assert record["engine_size"] > 10_000
    assert "step.engine: " in result.stdout
