"""The effect of quantizing each layer alone, as an export measures and keeps it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.calibration.test_accuracy_control import HARM, HarmfulRunner, control
from tests.cli.commands import failed, run
from tests.toys import BASE, write_run
from trm_edge import records
from trm_edge.bundle import Bundle
from trm_edge.calibration.accuracy_control import ControlledAccuracy
from trm_edge.calibration.recipe import CalibrationRecipe
from trm_edge.calibration.sensitivity import QuantizedRunner
from trm_edge.errors import BundleError
from trm_edge.evaluation import ranking as layer_ranking
from trm_edge.evaluation.parity import compare
from trm_edge.evaluation.ranking import LayerRanking, LayerSensitivity
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.manifest import Limits
from trm_edge.targets.export_bundle import export_bundle
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.request import ExportRequest
from trm_edge.tasks import task_for

NAMES = [f"layers.{block}.{part}" for block in (0, 1) for part in ("mlp_t", "mlp")]


@pytest.fixture
def export(toy_dataset: Path, toy_bundle: Path, tmp_path: Path) -> Callable[..., Bundle]:
    """Exports the toy with changes to the request, reusing a calibration."""
    checkpoint = load_checkpoint(write_run(tmp_path / "run", BASE))
    request = ExportRequest(
        checkpoint=checkpoint,
        task=task_for(checkpoint.config),
        precision="int8",
        targets=(load_profile("cpu"),),
        dataset=toy_dataset,
        calibration_cache=toy_bundle / "calibration.json",
        recipe=CalibrationRecipe(puzzles=4),
        limits=Limits(max_drop=100, min_halting_agreement=0),
        float32=False,
    )
    return lambda **changes: export_bundle(replace(request, **changes), tmp_path / "b", force=True)


def test_every_layer_is_ranked_and_kept(export: Callable[..., Bundle]) -> None:
    bundle = export(sensitivity=True)
    assert "sensitivity.json" in bundle.manifest.files
    ranking = Bundle.open(bundle.path).sensitivity()
    assert ranking is not None
    assert {entry.layer.rpartition(".")[0] for entry in ranking.layers} == set(NAMES)
    assert len(ranking.layers) == 8
    assert ranking.puzzles == 4
    cost = [entry.first_step + entry.last_step for entry in ranking.layers]
    assert cost == sorted(cost, reverse=True)
    assert cost[0] > 0


def test_without_the_option_no_layer_is_ranked(toy_bundle: Path) -> None:
    bundle = Bundle.open(toy_bundle)
    assert bundle.sensitivity() is None


def test_the_ranking_of_accuracy_control_is_reused(
    export: Callable[..., Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = LayerSensitivity("layers.0.mlp.down_proj", 0.01, 0.02, 0.1, 2, 1)

    def return_one_layer(
        runner: QuantizedRunner, reference: ParityVectors, *arguments: Any
    ) -> ControlledAccuracy:
        return ControlledAccuracy((layer,), compare(reference, reference), (layer,))

    def refuse(*arguments: Any) -> Any:
        raise AssertionError("ranked again")

    monkeypatch.setattr("trm_edge.targets.quantization.control_accuracy", return_one_layer)
    monkeypatch.setattr("trm_edge.targets.quantization.rank_layers", refuse)
    bundle = export(max_drop=50, sensitivity=True)
    assert bundle.sensitivity() == LayerRanking(4, (layer,))


def test_accuracy_control_returns_its_ranking() -> None:
    assert [layer.layer for layer in control(HarmfulRunner(HARM), 1.0).ranking] == [
        "worst",
        "bad",
        "good",
    ]
    assert control(HarmfulRunner({"good": 0, "fine": 0}), 1.0).ranking == ()


def test_a_limit_that_holds_at_once_ranks_only_on_request(
    export: Callable[..., Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    def return_no_layer(
        runner: QuantizedRunner, reference: ParityVectors, *arguments: Any
    ) -> ControlledAccuracy:
        return ControlledAccuracy((), compare(reference, reference))

    monkeypatch.setattr("trm_edge.targets.quantization.control_accuracy", return_no_layer)
    assert export(max_drop=50).sensitivity() is None
    bundle = export(max_drop=50, sensitivity=True)
    assert len(ranked(bundle)) == 8


def ranked(bundle: Bundle) -> tuple[LayerSensitivity, ...]:
    ranking = bundle.sensitivity()
    assert ranking is not None
    return ranking.layers


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"layer": "x"}]', r"is not a ranking of layers .* again with --sensitivity"),
        ('{"format": "trm-edge.sensitivity/2"}', "reads trm-edge.sensitivity/1. Upgrade"),
        ("{", "is not valid JSON"),
    ],
)
def test_a_file_that_is_not_a_ranking(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "sensitivity.json"
    path.write_text(content)
    with pytest.raises(BundleError, match=message):
        records.read(path, LayerRanking, layer_ranking.KIND, upgrade=layer_ranking.upgraded)


def test_the_command_ranks_with_a_quantized_precision(toy_dataset: Path, tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    calibrated = ("--calibration", toy_dataset / "train", "-o", tmp_path / "b")
    result = run("export", path, "--int8", "--sensitivity", *calibrated)
    assert result.exit_code == 0, result.output
    assert len(ranked(Bundle.open(tmp_path / "b"))) == 8
    failed(
        run("export", path, "--fp32", "--sensitivity", "-o", tmp_path / "c"),
        "sensitivity (--sensitivity): only with a quantized precision",
        "got fp32",
        code=2,
    )
