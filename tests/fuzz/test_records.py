"""Files that are read back, damaged by seeded rules: they are read, or refused in a sentence."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz.damage import cases, damaged_bytes, damaged_json, refusal
from tests.regression.measurements import measured
from tests.report.samples import baseline
from trm_edge import records
from trm_edge.engines.layers import load_layers
from trm_edge.engines.record import FORMAT as ENGINE_FORMAT
from trm_edge.engines.record import EngineRecord
from trm_edge.evaluation.bench_file import read_bench
from trm_edge.regression.answer_checks import answer_checks
from trm_edge.regression.baseline import Measurement
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.file_checks import file_checks
from trm_edge.regression.speed_checks import speed_checks
from trm_edge.report.history import exact_series, latency_series, read_history, size_series
from trm_edge.targets.profiles import load_profile

CASES = cases(80)  # of each kind of file
TOML = [
    "[regress]\n" * 2,
    "regress = 3",
    "[regres]\nmax_drop = 0.5",
    "max_drop = 0.5",
    "[regress]\nlatency = nan",
    "[regress]\nlatency = -1",
    "[regress]\nlatency = '5'",
    "[regress]\nmax_drop = 1e999",
    "[[regress]]\nlatency = 5",
    "x = " + "[" * 30_000,
    "x = " + "{a=" * 15_000,
    "a" + ".a" * 20_000 + " = 1",
    "[" + "a." * 20_000 + "a]",
    "[regress]\npinned = 1",
    "[regress]\nlatency = " + "9" * 5000,
    "[regress]\nlatency = 2020-13-45",
    "[regress]\nlatency = 1979-05-27",
    "\x00",
    '[regress]\n"la\\u0000" = 1',
    "[regress.latency]",
    "x" * 100_000,
]


def baseline_text(folder: Path) -> str:
    baseline(0).write(folder / "b.json")
    return (folder / "b.json").read_text()


def record_text(folder: Path) -> str:
    record = EngineRecord(
        engine_sha256="a" * 64,
        engine_size=1000,
        graph_sha256="b" * 64,
        compiler="tensorrt",
        compiler_version="10.3.0",
        gpu="NVIDIA L4",
        compute_capability="8.9",
        driver="12.8",
        batch=(1, 8, 32),
        workspace_mb=1024,
        optimization_level=None,
        seconds=12.0,
        warnings=("careful",),
    )
    return records.encode(record, ENGINE_FORMAT)


def layers_text(folder: Path) -> str:
    layer = {
        "Name": "H0.L0.0.mlp.down.product",
        "LayerType": "gemm",
        "Inputs": [{"Name": "x", "Format/Datatype": "Int8"}],
        "Outputs": [{"Name": "y", "Format/Datatype": "Half"}],
        "Metadata": "[ONNX Layer: H0.L0.0.mlp.down.product]",
    }
    return json.dumps({"Layers": [layer, layer], "Bindings": ["tokens", "logits"]})


def bench_text(folder: Path) -> str:
    return '{"format": "trm-edge.bench/2", "machine": {}, "rows": [{"latencies": []}]}'


def compare_baseline(path: Path) -> None:
    current = measured()
    older = Measurement.read(path)
    budgets = Budgets()
    list(answer_checks(current.answers, older.answers, budgets))
    list(file_checks(current, older, budgets))
    speed = current.speeds[0]
    older_speed = older.speed_of(speed.machine)
    if older_speed is not None:
        speed_checks(speed, older_speed, budgets, same_float32=True)
    current.with_speeds_of(older).write(path.with_name("again.json"))


def draw_history(path: Path) -> None:
    versions = read_history(path).versions
    if versions:
        exact_series(versions)
        latency_series(versions)
        size_series(versions)


def count_layers(path: Path) -> None:
    layers = load_layers(path)
    layers.products()
    assert layers.reformats + layers.conversions >= 0


KINDS: dict[str, tuple[Callable[[Path], str], Callable[[Path], object]]] = {
    "baseline": (baseline_text, compare_baseline),
    "history": (baseline_text, draw_history),
    "engine": (record_text, EngineRecord.read),
    "layers": (layers_text, count_layers),
    "bench": (bench_text, read_bench),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_read_or_refused_in_a_sentence(kind: str, tmp_path: Path) -> None:
    make, read = KINDS[kind]
    text = make(tmp_path)
    path = tmp_path / "file.json"
    path.write_text(text)
    if kind != "bench":
        assert refusal(lambda: read(path)) is None
    refused = 0
    for seed in range(CASES):
        rng = random.Random(f"{kind} {seed}")
        if rng.random() < 0.3:
            path.write_bytes(damaged_bytes(text.encode(), rng))
        else:
            path.write_text(damaged_json(text, rng), errors="surrogatepass")
        refused += refusal(lambda: read(path)) is not None
    assert refused > CASES // 4


@pytest.mark.parametrize("text", TOML, ids=range(len(TOML)))
def test_toml(text: str, tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    path.write_text(text)
    assert refusal(lambda: Budgets.read(path)) is not None
    assert refusal(lambda: load_profile(str(path))) is not None


def test_a_misspelt_section_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    path = tmp_path / "trm-edge.toml"
    path.write_text("[regres]\nmax_drop = 0.5\n")
    text = refusal(lambda: Budgets.read(path))
    assert text is not None
    assert "unknown regres; the keys are regress. Its sections are [regress]" in text
