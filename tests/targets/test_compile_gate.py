"""The compile gate: every variant and precision through NVIDIA's compiler, for three GPUs.

Sizes and times go to ``build/gate.json`` and, as a table, to ``build/gate.md``. A warning that
``tests/data/gate_warnings.txt`` does not have fails: it is read, and then either the graph is
changed or the line is added.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import onnx
import pytest

from tests.toys import VARIANTS, toy_model, toy_table, toy_tokens
from trm_edge.calibration.calibrate import calibrate
from trm_edge.calibration.recipe import CalibrationRecipe, QType
from trm_edge.config import ModelConfig
from trm_edge.engines.builder import BuildOptions, BuiltEngine, build_engine
from trm_edge.engines.compiler import Compiler
from trm_edge.engines.layers import EngineLayers, read_layers
from trm_edge.engines.logged_layers import layers_from_log
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.export.model import RecursiveModel
from trm_edge.profile import Int8Ranges, Precision
from trm_edge.puzzle import Puzzle
from trm_edge.reference import reference_checkpoint
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.puzzle_sources import calibration_puzzles, held_out_puzzles
from trm_edge.targets.target_graphs import GraphInputs, target_graph
from trm_edge.tasks import task_for

pytestmark = pytest.mark.gate
BUNDLED = ("sudoku", "maze")  # the ARC model is the maze's graph with more positions
CAPABILITIES = {"8.0": "a100", "8.9": "l4", "12.0": "rtx-5090"}  # and a target that has it
PRECISIONS: tuple[Precision, ...] = ("fp16", "int8", "fp8")
RANGES: tuple[Int8Ranges, ...] = ("per_layer", "per_token_products")
NOISE: Literal["noise"] = "noise"  # a target's own ranges, and inputs for noise
QTYPES: dict[Precision, QType] = {"int8": "int8", "fp8": "fp8"}
ROOT = Path(__file__).parents[2]
KNOWN = (ROOT / "tests/data/gate_warnings.txt").read_text().splitlines()


@pytest.fixture(scope="module")
def record() -> Iterator[dict[str, Any]]:
    built: dict[str, Any] = {}
    yield built
    path = ROOT / "build/gate.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(built, indent=1) + "\n")
    path.with_suffix(".md").write_text(table(built))


def table(built: dict[str, Any]) -> str:
    """Markdown: seconds and megabytes by variant and precision, and by compute capability."""
    lines = ["| graph | " + " | ".join(f"SM{capability}" for capability in CAPABILITIES) + " |"]
    lines.append("|---" * (len(CAPABILITIES) + 1) + "|")
    for graph in dict.fromkeys(name.rpartition(" SM")[0] for name in built):
        cells = []
        for capability in CAPABILITIES:
            result = built.get(f"{graph} SM{capability}")
            if result is None:
                cells.append("refused")
                continue
            megabytes = result["engine_bytes"] / 1e6
            cells.append(f"{result['seconds']:.1f} s, {megabytes:.1f} MB")
        lines.append(f"| {graph} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def compiler() -> Compiler:
    pytest.importorskip("tensorrt_rtx")
    return Compiler("tensorrt-rtx")


def graph_inputs(name: str, precision: Precision) -> tuple[GraphInputs, ModelConfig]:
    if name in BUNDLED:
        checkpoint = load_checkpoint(reference_checkpoint(name))
        model = checkpoint.model
        table = checkpoint.puzzle_embeddings
        config = checkpoint.config
        task = task_for(config).with_row_names(checkpoint.row_names)
        held_out = held_out_puzzles(task, None, 4)
        puzzles = calibration_puzzles(task, None, None, held_out, 4).puzzles
    else:
        config = VARIANTS[name]
        model = toy_model(config)
        table = toy_table(config)
        puzzles = [Puzzle(tokens) for tokens in toy_tokens(config, 4)]
    return quantized_inputs(model, table, puzzles, precision), config


def quantized_inputs(
    model: RecursiveModel, table: Any, puzzles: list[Puzzle], precision: Precision
) -> GraphInputs:
    if precision not in QTYPES:
        return GraphInputs(model, precision, None, {})
    qtype = QTYPES[precision]
    recipe = replace(CalibrationRecipe.static(qtype), puzzles=4)
    calibration = calibrate(model, table, puzzles, qtype, recipe)
    return GraphInputs(calibration.model, precision, qtype, calibration.layers)


def logged_layers(compiler: Compiler) -> EngineLayers:
    """The layers of the engine that was compiled last."""
    text = layers_from_log(compiler.log)
    assert text is not None
    return read_layers(text)


def measured(
    compiler: Compiler, graph: Path, built: BuiltEngine, engine: EngineLayers
) -> dict[str, Any]:
    """What is recorded of a build."""
    return {
        "compiler": f"{compiler.name} {compiler.version}",
        "graph_bytes": graph.stat().st_size,
        "engine_bytes": len(built.content),
        "seconds": round(built.seconds, 2),
        "layers": len(engine.layers),
        "warnings": built.warnings,
    }


def require_fused(engine: EngineLayers, config: ModelConfig) -> None:
    """Every product multiplies INT8 inputs, and no Q/DQ is left over."""
    products = engine.products()
    assert len(products) == 4 * config.L_layers
    for types in products.values():
        assert types == {"int8": config.network_passes}
    assert engine.conversions == 0


@pytest.mark.parametrize("name", BUNDLED)
def test_dividing_rows_by_their_magnitude_and_adding_noise_cost_no_layer(
    name: str, compiler: Compiler, record: dict[str, Any], tmp_path: Path
) -> None:
    inputs, config = graph_inputs(name, "int8")
    for capability, target in CAPABILITIES.items():
        layers = {}
        for form in (*RANGES, NOISE):
            noise = form == NOISE
            profile = load_profile(target)
            if form in RANGES:
                profile = replace(profile, int8_ranges=form)
            path = tmp_path / "step.onnx"
            onnx.save(target_graph(replace(inputs, noise=noise), profile), path)
            options = BuildOptions.of(profile, capability)
            carry = profile.carry_of("int8")
            built = build_engine(path, config, carry, options, compiler, noise=noise)
            engine = logged_layers(compiler)
            require_fused(engine, config)
            layers[form] = len(engine.layers)
            record[f"{name} int8 {form} SM{capability}"] = measured(compiler, path, built, engine)
        assert layers["per_token_products"] == layers["per_layer"]
        assert layers[NOISE] == layers[load_profile(target).int8_ranges]


@pytest.mark.filterwarnings("ignore::trm_edge.errors.CalibrationWarning")
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", [*VARIANTS, *BUNDLED])
def test_builds(
    name: str, precision: Precision, compiler: Compiler, record: dict[str, Any], tmp_path: Path
) -> None:
    inputs, config = graph_inputs(name, precision)
    unknown_warnings = []
    for capability, target in CAPABILITIES.items():
        profile = load_profile(target)
        if precision not in profile.precisions:
            assert (precision, capability) == ("fp8", "8.0")  # refused before, by the profile
            continue
        path = tmp_path / "step.onnx"
        onnx.save(target_graph(inputs, profile), path)
        options = BuildOptions.of(profile, capability)
        engine = build_engine(path, config, profile.carry_of(precision), options, compiler)
        row = f"{name} {precision} SM{capability}"
        record[row] = measured(compiler, path, engine, logged_layers(compiler))
        for line in engine.warnings:
            if not any(re.search(pattern, line) for pattern in KNOWN):
                unknown_warnings.append(line)
    assert not unknown_warnings
