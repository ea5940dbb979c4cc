from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.calibration.qat.toys import FINETUNE, RECIPE, same_weights, toy_entries, tuned
from tests.toys import BASE, toy_model, toy_table
from trm_edge.calibration.calibrate import calibrate
from trm_edge.calibration.qat import finetune as module
from trm_edge.calibration.qat import loop as finetune_loop
from trm_edge.calibration.qat.finetune import finetune
from trm_edge.calibration.qat.recipe import FinetuneRecipe
from trm_edge.calibration.recipe import Activations
from trm_edge.calibration.trajectories import linear_layers
from trm_edge.errors import (
    CalibrationError,
    CalibrationWarning,
    ConfigError,
    MissingExtraError,
)
from trm_edge.interrupts import signals_raise
from trm_edge.progress import T, Track
from trm_edge.training.deep_supervision import training_step

pytestmark = pytest.mark.filterwarnings("ignore:fine-tuning on:trm_edge.errors.CalibrationWarning")


def test_the_result_is_a_plain_model_and_the_original_is_not_changed() -> None:
    model = toy_model(BASE)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    result = finetune(model, toy_table(BASE), toy_entries(), "int8", RECIPE, FINETUNE)
    assert same_weights(dict(model.state_dict()), before)
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert result.state_dict().keys() == before.keys()
    for name in before:
        assert torch.equal(result.state_dict()[name], before[name]) == name.endswith("_init"), name
    assert all(type(layer) is nn.Linear for layer in linear_layers(result).values())
    assert not any(child._forward_pre_hooks for child in result.modules())
    assert {parameter.dtype for parameter in result.parameters()} == {torch.float32}
    assert not any(parameter.requires_grad for parameter in result.parameters())
    calibrate(result, toy_table(BASE), [e.puzzle for e in toy_entries()], "int8", RECIPE)


def test_the_same_seed_gives_the_same_weights() -> None:
    first = tuned()
    assert same_weights(first, tuned())
    assert not same_weights(first, tuned(replace(FINETUNE, seed=1)))


def interrupting(after: int) -> Track:
    """Progress that is interrupted between two steps."""

    def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
        for number, item in enumerate(items):
            if number == after and description.startswith("fine-tuning"):
                raise KeyboardInterrupt
            yield item

    return track


@pytest.mark.parametrize("activations", ["per_token", "per_call_site"])
def test_continues_where_it_was_interrupted(tmp_path: Path, activations: Activations) -> None:
    """However often it is interrupted, the weights are those of an uninterrupted run."""
    state = tmp_path / "new" / "state.pt"
    recipe = replace(RECIPE, activations=activations)
    for steps in (0, 2, 3):
        with pytest.raises(KeyboardInterrupt):
            finetune(
                toy_model(BASE),
                toy_table(BASE),
                toy_entries(),
                "int8",
                recipe,
                FINETUNE,
                state,
                track=interrupting(steps),
            )
    content = torch.load(state, weights_only=True)["content"]
    assert content["step"] == 5
    uninterrupted = tuned(recipe=recipe)
    assert same_weights(tuned(state=state, recipe=recipe), uninterrupted)
    assert same_weights(tuned(state=state, recipe=recipe), uninterrupted)  # from a finished one
    assert [path.name for path in state.parent.iterdir()] == ["state.pt"]


def test_the_state_is_saved_from_time_to_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed process leaves the last state that was saved."""
    state = tmp_path / "state.pt"
    monkeypatch.setattr(module, "SAVE_SECONDS", 0.0)
    run = {"steps": 0}

    def killed(recipe: FinetuneRecipe, step: int) -> float:
        run["steps"] += 1
        if run["steps"] == 4:
            raise MemoryError
        return FINETUNE.lr

    monkeypatch.setattr(FinetuneRecipe, "rate", killed)
    with pytest.raises(MemoryError):
        tuned(state=state)
    assert torch.load(state, weights_only=True)["content"]["step"] == 3
    monkeypatch.undo()


def test_no_puzzles_are_refused() -> None:
    with pytest.raises(CalibrationError, match="no puzzles to fine-tune on"):
        finetune(toy_model(BASE), toy_table(BASE), [], "int8", RECIPE, FINETUNE)


def test_few_puzzles_are_warned_of() -> None:
    recipe = replace(FINETUNE, steps=1)
    with pytest.warns(CalibrationWarning, match="on 6 puzzles: fewer than 256 can be memorised"):
        finetune(toy_model(BASE), toy_table(BASE), toy_entries(), "int8", RECIPE, recipe)
    entries = toy_entries(count=256)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        finetune(toy_model(BASE), toy_table(BASE), entries, "int8", RECIPE, recipe)


def test_a_missing_table_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"puzzle_embeddings must have shape \(3, 32\), but got"):
        finetune(toy_model(BASE), None, toy_entries(), "int8", RECIPE, FINETUNE)


def test_a_missing_modelopt_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "modelopt.torch.quantization", None)
    with pytest.raises(MissingExtraError, match="Fine-tuning needs the package nvidia-modelopt"):
        tuned()


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_the_step(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state.pt"
    ordinary = training_step
    calls = 0

    def interrupted(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 3:
            os.kill(os.getpid(), number)
        return ordinary(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(finetune_loop, "training_step", interrupted)
    # A shell starts background jobs with Ctrl-C switched off.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), signals_raise():
            tuned(state=state)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert torch.load(state, weights_only=True)["content"]["step"] == 3
    monkeypatch.undo()
    assert same_weights(tuned(state=state), tuned())
