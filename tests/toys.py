"""Toy models: one table of every architecture that the checkpoint format allows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from trm_edge.config import ModelConfig
from trm_edge.export.arch_settings import published_name
from trm_edge.export.model import RecursiveModel

BASE = ModelConfig(
    hidden_size=32,
    num_heads=2,
    expansion=4.0,
    L_layers=2,
    H_cycles=2,
    L_cycles=2,
    halt_max_steps=4,
    no_ACT_continue=True,
    mlp_t=True,
    pos_encodings="none",
    puzzle_emb_ndim=32,
    puzzle_emb_len=2,
    seq_len=9,
    vocab_size=7,
    num_puzzle_identifiers=3,
    rms_norm_eps=1e-5,
    rope_theta=10000.0,
)

FAMILY: dict[str, ModelConfig] = {
    "hrm": replace(
        BASE,
        architecture="hrm",
        H_layers=1,
        mlp_t=False,
        pos_encodings="rope",
        no_ACT_continue=False,
        puzzle_emb_len=0,
    ),
    "hrm-mlp": replace(
        BASE,
        architecture="hrm",
        H_layers=2,
        L_layers=1,
        no_ACT_continue=False,
        puzzle_emb_len=0,
    ),
    "trm-singlez": replace(BASE, architecture="trm-singlez"),
    "trm-hier6": replace(BASE, architecture="trm-hier6", L_cycles=3),
    "transformer": replace(
        BASE,
        architecture="transformer",
        H_layers=2,
        L_layers=0,
        H_cycles=1,
        L_cycles=1,
        num_heads=3,  # does not divide the width, as in the published settings
        mlp_t=False,
        pos_encodings="learned",
        no_ACT_continue=False,
        puzzle_emb_len=0,
    ),
}

VARIANTS: dict[str, ModelConfig] = {
    **FAMILY,
    "mlp": BASE,
    "mlp-learned": replace(BASE, pos_encodings="learned"),
    "mlp-no-embedding": replace(BASE, puzzle_emb_ndim=0, puzzle_emb_len=0),
    "mlp-rope-ignored": replace(BASE, pos_encodings="rope"),
    "attention-rope": replace(BASE, mlp_t=False, pos_encodings="rope"),
    "attention-learned": replace(BASE, mlp_t=False, pos_encodings="learned"),
    "attention-none": replace(BASE, mlp_t=False),
    "computed-prefix": replace(BASE, puzzle_emb_len=0, puzzle_emb_ndim=40),
    "padded-embedding": replace(BASE, puzzle_emb_ndim=20, puzzle_emb_len=3),
    "one-block": replace(BASE, L_layers=1, H_cycles=1, L_cycles=1),
    "three-blocks": replace(BASE, L_layers=3, H_cycles=1, L_cycles=3),
    "q-continue": replace(BASE, no_ACT_continue=False),
    "no-embedding-rope": replace(
        BASE, mlp_t=False, pos_encodings="rope", puzzle_emb_ndim=0, puzzle_emb_len=0
    ),
}


def toy_model(config: ModelConfig, seed: int = 0, scale: float = 0.6) -> RecursiveModel:
    """Random weights, scaled down until trajectories contract (a random recursion is chaotic).

    Args:
        config: the model's configuration.
        seed: of the weights.
        scale: factor on the network's weights.
    """
    generator = torch.Generator().manual_seed(seed)
    model = RecursiveModel(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            fan_in = parameter.shape[-1]
            noise = torch.randn(parameter.shape, generator=generator)
            factor = scale if "_level" in name else 1.0
            parameter.copy_(noise * factor * fan_in**-0.5)
        # Decisions that differ from puzzle to puzzle and from step to step.
        model.q_head.weight *= 4
        model.q_head.bias.zero_()
        for initial in model.buffers():
            initial.copy_(torch.randn(config.hidden_size, generator=generator).bfloat16())
    return model.eval().requires_grad_(False)


def toy_table(config: ModelConfig, seed: int = 0) -> NDArray[np.float32] | None:
    """Random puzzle-embedding table (N, E), or None where the model has none.

    Args:
        config: the model's configuration.
        seed: of the values.
    """
    if not config.puzzle_emb_ndim:
        return None
    rng = np.random.default_rng(seed)
    shape = (config.num_puzzle_identifiers, config.puzzle_emb_ndim)
    return rng.standard_normal(shape).astype(np.float32)


def toy_tokens(config: ModelConfig, count: int, seed: int = 0) -> NDArray[np.int32]:
    """Random puzzles, (count, L) token ids.

    Args:
        config: the model's configuration.
        count: number of puzzles.
        seed: of the tokens.
    """
    rng = np.random.default_rng(seed)
    return rng.integers(0, config.vocab_size, (count, config.seq_len), dtype=np.int32)


_ARCH_KEYS = (
    "H_layers",
    "H_cycles",
    "L_cycles",
    "L_layers",
    "expansion",
    "halt_max_steps",
    "hidden_size",
    "mlp_t",
    "no_ACT_continue",
    "num_heads",
    "pos_encodings",
    "puzzle_emb_len",
    "puzzle_emb_ndim",
)


def arch_settings(config: ModelConfig) -> dict[str, object]:
    """`arch` of all_config.yaml as the published trainer writes it.

    Args:
        config: the model's configuration.
    """
    settings: dict[str, object] = {
        "name": published_name(config),
        "loss": {"loss_type": "stablemax_cross_entropy", "name": "losses@ACTLossHead"},
        "halt_exploration_prob": 0.1,
        "forward_dtype": "float32",
    }
    for key in _ARCH_KEYS:
        settings[key] = getattr(config, key)
    return settings


def write_run(
    folder: Path,
    config: ModelConfig,
    *,
    prefix: str = "_orig_mod.model.inner.",
    dtype: torch.dtype = torch.float32,
    step: int = 10,
    seed: int = 0,
) -> Path:
    """Write a run's folder in the published trainer's format.

    Args:
        folder: of the run; created where it is missing.
        config: the model's configuration.
        prefix: of the keys in the state_dict.
        dtype: of the weights in the file.
        step: number in the file's name.
        seed: of the weights.

    Returns:
        The weight file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = toy_model(config, seed)
    table = toy_table(config, seed)
    state = {prefix + name: value.to(dtype) for name, value in model.state_dict().items()}
    for name, _ in model.named_buffers():
        state[prefix + name] = state[prefix + name].bfloat16()
    if table is not None:
        state[prefix + "puzzle_emb.weights"] = torch.from_numpy(table).to(dtype)
    path = folder / f"step_{step}"
    torch.save(state, path)
    settings = {"arch": arch_settings(config), "ema": True, "seed": 0}
    (folder / "all_config.yaml").write_text(yaml.safe_dump(settings))
    metadata = {
        "seq_len": config.seq_len,
        "vocab_size": config.vocab_size,
        "num_puzzle_identifiers": config.num_puzzle_identifiers,
        "pad_id": 0,
    }
    (folder / "dataset.json").write_text(json.dumps(metadata))
    return path
