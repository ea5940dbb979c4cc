"""The baseline on disk: damage is named, and files of older versions are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.regression.measurements import measured
from trm_edge.errors import ConfigError, RecordError
from trm_edge.regression.baseline import Measurement
from trm_edge.regression.baseline_record import pack_bits, pack_bytes, unpack_bits, unpack_bytes

VERSION_1 = Path(__file__).parents[1] / "data" / "baselines" / "sudoku-1.json"
COMMITTED = Path(__file__).parents[2] / "benchmarks" / "baselines"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "trm-edge.baseline/9"}, "has format trm-edge.baseline/9, but this version"),
        ({"format": "trm-edge.bench/1"}, "is not a baseline of trm-edge regress: its format is"),
        ({"answers": {}}, "missing required field count"),
        ({"speeds": [1]}, "expected object, got int in speeds"),
        ({"sizes_byte": {}}, "unknown sizes_byte"),
        ({"engine_layers": {"mlp": "int8 x 3"}}, "expected object, got str in engine_layers"),
    ],
)
def test_damaged_baselines_are_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = tmp_path / "b.json"
    measured().write(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RecordError, match=message):
        Measurement.read(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 612}, "it has 512 answers for 612 puzzles"),
        ({"steps": "AQ=="}, "it has 1 halting steps for 512 puzzles"),
        ({"right_fixed": "A"}, "packed answers are not base64"),
    ],
)
def test_damaged_answers_are_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = tmp_path / "b.json"
    measured().write(path)
    content = json.loads(path.read_text())
    content["answers"] |= change
    path.write_text(json.dumps(content))
    with pytest.raises(RecordError, match=message):
        Measurement.read(path)


def test_a_missing_baseline_and_one_that_is_not_json(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"there is no baseline at .* --update"):
        Measurement.read(tmp_path / "absent.json")
    (tmp_path / "x").write_text("{")
    with pytest.raises(RecordError, match=r"is not a baseline .* not valid JSON"):
        Measurement.read(tmp_path / "x")


def test_a_baseline_of_version_1_reads_with_the_same_figures() -> None:
    raw = json.loads(VERSION_1.read_text())
    assert raw["format"] == "trm-edge.baseline/1"
    baseline = Measurement.read(VERSION_1)
    assert baseline.sizes == {"step_graph": 621_726}
    assert len(baseline.answers) == raw["answers"]["count"] == 512
    assert pack_bits(baseline.answers.right_fixed) == raw["answers"]["right_fixed"]
    assert pack_bytes(baseline.answers.steps) == raw["answers"]["steps"]
    (speed,) = baseline.speeds
    assert speed.memory_bytes == raw["speeds"][0]["memory"]
    assert speed.startup_ratio == raw["speeds"][0]["startup"]
    times = raw["speeds"][0]["times"]["8"]
    np.testing.assert_array_equal(speed.times["8"]["float32_step"], times["float32 step"])


def test_an_engines_layers_of_version_1(tmp_path: Path) -> None:
    raw: dict[str, Any] = json.loads(VERSION_1.read_text())
    raw["engine_layers"] = {"a": "float16 x 2, int8 x 19", "b": "int8 x 3"}
    path = tmp_path / "b.json"
    path.write_text(json.dumps(raw))
    layers = Measurement.read(path).engine_layers
    assert layers == {"a": {"float16": 2, "int8": 19}, "b": {"int8": 3}}
    raw["engine_layers"] = {"a": "int8"}
    path.write_text(json.dumps(raw))
    with pytest.raises(RecordError, match=r"engine_layers\.a must read like 'int8 x 3'"):
        Measurement.read(path)


def test_the_committed_baseline_has_the_figures_of_the_file_that_it_was_converted_from(
    tmp_path: Path,
) -> None:
    committed = json.loads((COMMITTED / "sudoku.json").read_text())
    made = json.loads(VERSION_1.read_text())["provenance"]["made"]
    if committed["provenance"]["made"] != made:
        pytest.skip("the baseline was written again since")
    Measurement.read(VERSION_1).write(tmp_path / "b.json")
    assert json.loads((tmp_path / "b.json").read_text()) == committed


def test_packing_and_unpacking() -> None:
    flags = np.array([True, False, True] * 5)
    np.testing.assert_array_equal(unpack_bits(pack_bits(flags), 15), flags)
    steps = np.array([1, 16, 255], np.int32)
    np.testing.assert_array_equal(unpack_bytes(pack_bytes(steps)), steps)
    with pytest.raises(ConfigError, match="16 answers for 17 puzzles"):
        unpack_bits(pack_bits(flags), 17)
