from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.toys import BASE, VARIANTS, toy_model, toy_table, toy_tokens
from trm_edge.calibration.calibrate import calibrate
from trm_edge.calibration.grid import round_inputs, round_weight, weight_scales
from trm_edge.calibration.qat import finetune as module
from trm_edge.calibration.qat import loop as finetune_loop
from trm_edge.calibration.qat.deep_supervision import Slots, stablemax_cross_entropy, training_step
from trm_edge.calibration.qat.fake_quantization import input_ranges, insert_quantizers
from trm_edge.calibration.qat.finetune import finetune
from trm_edge.calibration.qat.loop import Finetuning
from trm_edge.calibration.qat.recipe import FinetuneRecipe
from trm_edge.calibration.recipe import Activations, CalibrationRecipe, QType, RangeMethod
from trm_edge.calibration.trajectories import linear_layers
from trm_edge.config import ModelConfig
from trm_edge.errors import (
    CalibrationError,
    CalibrationWarning,
    ConfigError,
    MissingExtraError,
)
from trm_edge.export.torch_backend import TorchBackend
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solver import Solver
from trm_edge.progress import T, Track
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.base import Entry

HOW = FinetuneRecipe(steps=6, batch=4, warmup=1)
RECIPE = CalibrationRecipe(puzzles=4, batch=2)

pytestmark = pytest.mark.filterwarnings("ignore:fine-tuning on:trm_edge.errors.CalibrationWarning")


def toy_entries(config: ModelConfig = BASE, count: int = 6) -> list[Entry]:
    """Every cell's answer is the next id; the last puzzle has none."""
    rows = toy_tokens(config, count)
    answers = [np.maximum((row + 1) % config.vocab_size, 1).astype(np.int32) for row in rows]
    return [
        Entry(Puzzle(row, k % config.num_puzzle_identifiers), k + 1, answer if k else None)
        for k, (row, answer) in enumerate(zip(rows, answers, strict=True))
    ]


def tuned(
    how: FinetuneRecipe = HOW, state: Path | None = None, recipe: CalibrationRecipe = RECIPE
) -> dict[str, torch.Tensor]:
    """The weights of the base toy, fine-tuned."""
    entries = toy_entries()
    model = finetune(toy_model(BASE), toy_table(BASE), entries, "int8", recipe, how, state)
    return dict(model.state_dict())


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize("activations", ["per_token", "per_layer", "float"])
@pytest.mark.parametrize("qtype", ["int8", "fp8", "int4"])
@pytest.mark.parametrize("name", ["mlp", "attention-rope"])
def test_the_network_computes_as_its_quantized_self(
    name: str, qtype: QType, activations: Activations
) -> None:
    """ModelOpt's quantizers round as the graph's do, on widths that blocks do not divide too."""
    model = toy_model(VARIANTS[name])
    generator = torch.Generator().manual_seed(0)
    ranges = dict.fromkeys(linear_layers(model), (2.0,)) if activations == "per_layer" else {}
    insert_quantizers(model, qtype, activations, ranges)
    for layer in linear_layers(model).values():
        inputs = torch.randn(2, 3, layer.in_features, generator=generator)
        weight = layer.weight.detach()
        rounded = round_inputs(inputs, 2.0, qtype, activations)
        kept = round_weight(weight, weight_scales(weight, qtype), qtype)
        torch.testing.assert_close(layer(inputs), rounded @ kept.T, atol=1e-5, rtol=1e-5)
    assert type(model.lm_head) is type(model.q_head) is nn.Linear


def test_call_sites_have_ranges_of_their_own() -> None:
    recipe = replace(RECIPE, activations="per_call_site")
    puzzles = [entry.puzzle for entry in toy_entries()]
    model = toy_model(BASE)
    ranges = input_ranges(model, toy_table(BASE), puzzles, "int8", recipe)
    assert {len(amax) for amax in ranges.values()} == {BASE.network_passes}
    insert_quantizers(model, "int8", "per_call_site", ranges)
    name, layer = next(iter(linear_layers(model).items()))
    inputs = torch.randn(2, 3, layer.in_features, generator=torch.Generator().manual_seed(0)) * 9
    weight = layer.weight.detach()
    kept = round_weight(weight, weight_scales(weight, "int8"), "int8")
    for amax in ranges[name] + ranges[name][:2]:
        rounded = round_inputs(inputs, amax, "int8", "per_call_site")
        torch.testing.assert_close(layer(inputs), rounded @ kept.T, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("method", ["max", "mse", "percentile"])
def test_ranges_are_those_that_calibrating_takes(method: RangeMethod) -> None:
    recipe = replace(RECIPE, activations="per_layer", method=method, equalisation=(0.0,))
    puzzles = [entry.puzzle for entry in toy_entries()]
    model, table = toy_model(BASE), toy_table(BASE)
    ready = calibrate(model, table, puzzles, "int8", recipe)
    ranges = input_ranges(model, table, puzzles, "int8", recipe)
    for name, how in ready.layers.items():
        assert ranges[name] == pytest.approx(how.amax)


@pytest.mark.parametrize(
    ("name", "qtype", "activations"),
    [
        ("mlp", "int8", "per_token"),
        ("attention-rope", "fp8", "per_layer"),
        ("no-embedding-rope", "int4", "float"),
        ("q-continue", "int8", "per_call_site"),
    ],
)
def test_learns_with_quantization_in_place(
    name: str, qtype: QType, activations: Activations
) -> None:
    config = VARIANTS[name]
    recipe = replace(RECIPE, activations=activations)
    how = FinetuneRecipe(steps=60, batch=6, lr=0.02, warmup=1)
    run = Finetuning(toy_model(config), toy_table(config), toy_entries(config), qtype, recipe, how)
    losses = [run.advance() for _ in range(how.steps)]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_equalised_rows_are_learned_as_fast_as_others() -> None:
    """A product channel scaled up and its column down is the same function, and stays so."""
    models = [toy_model(BASE), toy_model(BASE)]
    swiglu = models[1].L_level.get_submodule("layers.0.mlp")
    up = swiglu.get_submodule("gate_up_proj").weight
    down = swiglu.get_submodule("down_proj").weight
    assert isinstance(up, torch.Tensor)
    assert isinstance(down, torch.Tensor)
    up[-256:] /= 512
    down *= 512
    ends = [
        finetune(model, toy_table(BASE), toy_entries(), "int8", RECIPE, replace(HOW, lr=0.01))
        for model in models
    ]
    name = "layers.0.mlp.gate_up_proj"
    one, other = (linear_layers(end)[name].weight for end in ends)
    assert not torch.equal(one, linear_layers(models[0])[name].weight)
    torch.testing.assert_close(one[-256:], other[-256:] * 512, atol=2e-3, rtol=2e-2)


def test_the_result_is_a_plain_model_and_the_given_one_is_untouched() -> None:
    model = toy_model(BASE)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    result = finetune(model, toy_table(BASE), toy_entries(), "int8", RECIPE, HOW)
    assert same(dict(model.state_dict()), before)
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert result.state_dict().keys() == before.keys()
    for name in before:
        assert torch.equal(result.state_dict()[name], before[name]) == name.endswith("_init"), name
    assert all(type(layer) is nn.Linear for layer in linear_layers(result).values())
    assert not any(child._forward_pre_hooks for child in result.modules())
    assert {parameter.dtype for parameter in result.parameters()} == {torch.float32}
    assert not any(parameter.requires_grad for parameter in result.parameters())
    calibrate(result, toy_table(BASE), [e.puzzle for e in toy_entries()], "int8", RECIPE)


def test_where_no_answer_is_known_the_models_own_is_learned() -> None:
    model, table, entries = toy_model(BASE), toy_table(BASE), toy_entries()
    run = Finetuning(model, table, entries, "int8", RECIPE, HOW)
    rule = HaltingRule.from_config(BASE, "fixed")
    with Solver(TorchBackend(model), table, halting=rule) as solver:
        own = next(solver.solve([entries[0].puzzle])).answer
    labels = run.content()["labels"].numpy()
    assert (labels[0] == own).all()
    for entry, label in zip(entries[1:], labels[1:], strict=True):
        assert entry.answer is not None
        assert (label == entry.answer).all()


def test_cells_without_an_answer_do_not_count() -> None:
    logits = torch.randn(1, 4, 7, generator=torch.Generator().manual_seed(0))
    known = stablemax_cross_entropy(logits[:, :3], torch.tensor([[1, 2, 3]]))
    torch.testing.assert_close(stablemax_cross_entropy(logits, torch.tensor([[1, 2, 3, 0]])), known)
    assert stablemax_cross_entropy(logits, torch.zeros(1, 4, dtype=torch.int32)) == 0


def test_exploring_slots_go_on_and_no_slot_goes_on_for_ever() -> None:
    slots = Slots(400, BASE)
    generator = torch.Generator().manual_seed(0)
    stop = torch.ones(400, dtype=torch.bool)
    slots.advance(stop, generator, exploration=0.0)
    assert slots.halted.all()
    slots.steps.zero_()
    slots.advance(stop, generator, exploration=0.5)
    assert 100 < int(slots.halted.sum()) < 300
    slots.steps.fill_(BASE.halt_max_steps - 1)
    slots.advance(~stop, generator, exploration=1.0)
    assert slots.halted.all()


def test_the_same_seed_gives_the_same_weights() -> None:
    first = tuned()
    assert same(first, tuned())
    assert not same(first, tuned(replace(HOW, seed=1)))


def interrupting(after: int) -> Track:
    """Progress that is interrupted, between two steps."""

    def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
        for number, item in enumerate(items):
            if number == after and description.startswith("fine-tuning"):
                raise KeyboardInterrupt
            yield item

    return track


@pytest.mark.parametrize("activations", ["per_token", "per_call_site"])
def test_goes_on_where_it_was_interrupted(tmp_path: Path, activations: Activations) -> None:
    """Whatever is interrupted, and however often, the weights are those of one go."""
    state, recipe = tmp_path / "new" / "state.pt", replace(RECIPE, activations=activations)
    given = toy_model(BASE), toy_table(BASE), toy_entries(), "int8", recipe, HOW, state
    for steps in (0, 2, 3):
        with pytest.raises(KeyboardInterrupt):
            finetune(*given, track=interrupting(steps))  # type: ignore[arg-type]
    content = torch.load(state, weights_only=True)["content"]
    assert content["step"] == 5
    whole = tuned(recipe=recipe)
    assert same(tuned(state=state, recipe=recipe), whole)
    assert same(tuned(state=state, recipe=recipe), whole)  # from a finished one
    assert [path.name for path in state.parent.iterdir()] == ["state.pt"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_ctrl_c_waits_for_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "state.pt"
    ordinary = training_step
    calls = 0

    def interrupted(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return ordinary(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(finetune_loop, "training_step", interrupted)
    # A shell starts what runs in its background with Ctrl-C switched off.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            tuned(state=state)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert torch.load(state, weights_only=True)["content"]["step"] == 3
    monkeypatch.undo()
    assert same(tuned(state=state), tuned())


def test_is_kept_from_time_to_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a kill leaves is the last state that was kept."""
    state = tmp_path / "state.pt"
    monkeypatch.setattr(module, "SAVE_SECONDS", 0.0)
    run = {"steps": 0}

    def killed(recipe: FinetuneRecipe, step: int) -> float:
        run["steps"] += 1
        if run["steps"] == 4:
            raise MemoryError
        return HOW.lr

    monkeypatch.setattr(FinetuneRecipe, "rate", killed)
    with pytest.raises(MemoryError):
        tuned(state=state)
    assert torch.load(state, weights_only=True)["content"]["step"] == 3
    monkeypatch.undo()


def test_a_state_of_another_fine_tuning_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    tuned(state=state)
    model, table, entries = toy_model(BASE), toy_table(BASE), toy_entries()
    with pytest.raises(
        CalibrationError, match=r"another fine-tuning: lr 0\.001, not 0\.1, seed 0, not 2\. Go on"
    ):
        finetune(model, table, entries, "int8", RECIPE, replace(HOW, lr=0.1, seed=2), state)
    recipe = replace(RECIPE, activations="float")
    with pytest.raises(
        CalibrationError,
        match=r"kind 'int8', not 'fp8', activations 'per_token_products', not 'float'\.",
    ):
        finetune(model, table, entries, "fp8", recipe, HOW, state)
    with pytest.raises(CalibrationError, match="another fine-tuning: other weights"):
        finetune(toy_model(BASE, seed=1), table, entries, "int8", RECIPE, HOW, state)
    with pytest.raises(CalibrationError, match="another fine-tuning: other puzzles"):
        finetune(model, table, entries[1:], "int8", RECIPE, HOW, state)


@pytest.mark.parametrize("kept", [0, 10, 2000, 0.5, 0.99])
def test_a_state_that_is_cut_short(tmp_path: Path, kept: float) -> None:
    state = tmp_path / "state.pt"
    tuned(replace(HOW, steps=1), state)
    content = state.read_bytes()
    state.write_bytes(content[: int(kept * len(content)) if kept < 1 else int(kept)])
    with pytest.raises(
        CalibrationError, match=r"state\.pt is no state of fine-tuning .* Delete it to begin anew"
    ):
        tuned(replace(HOW, steps=1), state)


def test_a_file_of_another_kind_is_no_state(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    torch.save(toy_model(BASE).state_dict(), state)
    with pytest.raises(CalibrationError, match=r"its format is not trm-edge\.finetune/1\. It may"):
        tuned(state=state)


def test_a_state_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CalibrationError, match="state of fine-tuning cannot be kept in"):
        tuned(state=tmp_path / "file" / "state.pt")


def test_no_puzzles() -> None:
    with pytest.raises(CalibrationError, match="no puzzles to fine-tune on"):
        finetune(toy_model(BASE), toy_table(BASE), [], "int8", RECIPE, HOW)


def test_few_puzzles_are_told_of() -> None:
    given = toy_model(BASE), toy_table(BASE), toy_entries(), "int8", RECIPE
    how = replace(HOW, steps=1)
    with pytest.warns(CalibrationWarning, match="on 6 puzzles: fewer than 256 can be learned"):
        finetune(*given, how)  # type: ignore[arg-type]
    entries = toy_entries(count=256)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        finetune(toy_model(BASE), toy_table(BASE), entries, "int8", RECIPE, how)


def test_a_missing_table() -> None:
    with pytest.raises(ConfigError, match=r"puzzle_embeddings must have shape \(3, 32\), but got"):
        finetune(toy_model(BASE), None, toy_entries(), "int8", RECIPE, HOW)


def test_training_that_diverges() -> None:
    model = toy_model(BASE)
    model.lm_head.weight[0, 0] = float("nan")
    with pytest.raises(
        CalibrationError, match=r"loss became nan in step 1 of fine-tuning\. Lower the learning"
    ):
        finetune(model, toy_table(BASE), toy_entries(), "int8", RECIPE, HOW)


def test_without_modelopt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "modelopt.torch.quantization", None)
    with pytest.raises(MissingExtraError, match="Fine-tuning needs the package nvidia-modelopt"):
        tuned()


def test_the_rate_rises_and_falls_to_zero() -> None:
    how = FinetuneRecipe(steps=10, lr=1.0, warmup=3)
    rates = [how.rate(step) for step in range(10)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert 0 < rates[-1] < 0.2
    assert FinetuneRecipe(steps=1).rate(0) > 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 0}, "steps must be 1 or more, but got 0"),
        ({"batch": 0}, "batch must be 1 or more, but got 0"),
        ({"lr": 0.0}, r"lr must be positive, but got 0\.0"),
        ({"lr": float("nan")}, "lr must be positive, but got nan"),
        ({"clip": float("inf")}, "clip must be positive, but got inf"),
        ({"warmup": -1}, "warmup must be 0 or more, but got -1"),
        ({"exploration": 1.5}, r"exploration must lie in 0\.\.1, but got 1\.5"),
    ],
)
def test_recipes_that_cannot_be(values: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FinetuneRecipe(**{"steps": 1, **values})  # type: ignore[arg-type]


def test_a_recipe_as_a_dict() -> None:
    assert FinetuneRecipe(**HOW.to_dict()) == HOW
