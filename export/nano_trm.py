"""Checkpoints of nano-trm (olivkoch): the same network, in a file of PyTorch Lightning.

The file describes itself: ``hyper_parameters`` holds what the published trainer writes into
``all_config.yaml`` and ``dataset.json``. Its ``state_dict`` holds the raw weights; the averaged
ones, on which its validation is measured, lie in the state of a callback. Names differ, and the
halting head has one row.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trm_edge.config import ModelConfig
from trm_edge.errors import CheckpointError, ConfigError
from trm_edge.printable import excerpt

_RENAMED = {
    "z_H_init": "H_init",
    "z_L_init": "L_init",
    "input_embedding.embedding_weight": "embed_tokens.embedding_weight",
}
_NETWORK = "lenet."
_TABLE = "puzzle_emb.weights"
_NEVER_WINS = -1e4  # bias of q_continue, which nano-trm does not have; finite in half precision
# nano-trm's name of each setting; a tuple where earlier versions had another.
_SETTINGS: dict[str, tuple[str, ...]] = {
    "hidden_size": ("hidden_size",),
    "num_heads": ("num_heads",),
    "expansion": ("ffn_expansion",),
    "L_layers": ("num_layers",),
    "H_cycles": ("H_cycles",),
    "L_cycles": ("L_cycles",),
    "halt_max_steps": ("N_supervision_val", "N_supervision"),
    "mlp_t": ("use_mlp_t", "use_mlp"),
    "seq_len": ("seq_len",),
    "vocab_size": ("vocab_size",),
    "rope_theta": ("rope_theta",),
    "puzzle_emb_ndim": ("puzzle_emb_dim",),
    "puzzle_emb_len": ("puzzle_emb_len",),
}
_POSITIONS = {"1d": "rope", "null": "none", None: "none"}
# Parts that its network may have and the published one has not, and the values without them.
_UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "use_conv_swiglu": (False, None),
    "use_board_swiglu": (False, None),
    "attn_gate_type": (None, "null"),
}
_OF_TRAINING = frozenset(
    {
        "N_supervision",
        "batch_size",
        "forward_dtype",
        "halt_exploration_prob",
        "learning_rate",
        "learning_rate_emb",
        "lr_min_ratio",
        "max_grid_size",
        "max_steps",
        "num_puzzles",
        "output_dir",
        "pad_value",
        "use_muon",
        "warmup_steps",
        "weight_decay",
    }
)
_SUPPORTED = (
    "supported are pos_emb_type 1d and null, use_mlp_t true and false, and the plain SwiGLU"
)


def is_nano_trm(content: object) -> bool:
    """Tell a checkpoint of nano-trm by the names of its tensors.

    Args:
        content: what a weight file holds.
    """
    if not isinstance(content, Mapping):
        return False
    names = content.get("state_dict", content)
    if not isinstance(names, Mapping):
        return False
    texts = [name for name in names if isinstance(name, str)]
    has_state = any(text.rpartition(".")[2] == "z_H_init" for text in texts)
    return has_state and any(f".{_NETWORK}layers." in f".{text}" for text in texts)


def nano_trm_config(content: object, tensors: Mapping[str, Tensor], path: Path) -> ModelConfig:
    """Read the configuration of a checkpoint of nano-trm.

    Args:
        content: what the file holds.
        tensors: its weights, without prefix, under nano-trm's names.
        path: the file, for messages.

    Raises:
        CheckpointError: the file does not hold its settings.
        ConfigError: a setting is unknown, missing or out of range, or asks for a part of the
            network that the published model does not have.
    """
    settings = content.get("hyper_parameters") if isinstance(content, Mapping) else None
    if not isinstance(settings, Mapping):
        raise CheckpointError(
            f"{path} holds weights of nano-trm without hyper_parameters, so its cycles and heads "
            "are unknown. Pass the checkpoint that Lightning wrote, such as last.ckpt."
        )
    _check_parts(settings, path)
    _check_keys(settings, path)
    values = _values(settings, path)
    if not values["puzzle_emb_ndim"]:
        values["puzzle_emb_len"] = 0  # nano-trm makes no prefix then, whatever its length
    table = tensors.get(_TABLE)
    rows = table.shape[0] if table is not None and table.ndim == 2 else 1
    values.update(
        pos_encodings=_POSITIONS[settings.get("pos_emb_type")],
        num_puzzle_identifiers=rows,
        no_ACT_continue=True,
        rms_norm_eps=1e-5,
    )
    try:
        return ModelConfig.from_dict(values)
    except ConfigError as error:
        raise ConfigError(f"{path}: hyper_parameters of nano-trm: {error}") from error


def published_tensors(tensors: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Rename nano-trm's tensors, and add the row of ``q_continue`` that it does not have.

    Args:
        tensors: the weights under nano-trm's names.
        path: the file, for messages.

    Returns:
        The weights under the published names.

    Raises:
        CheckpointError: the halting head has another shape.
    """
    published = {}
    for name, value in tensors.items():
        if name.startswith(_NETWORK):
            name = f"L_level.{name.removeprefix(_NETWORK)}"
        published[_RENAMED.get(name, name)] = value
    weight = published.get("q_head.weight")
    bias = published.get("q_head.bias")
    if weight is None or bias is None:
        return published  # named as missing where the weights are compared with the configuration
    if weight.ndim != 2 or weight.shape[0] != 1 or tuple(bias.shape) != (1,):
        raise CheckpointError(
            f"{path}: q_head has the shapes {tuple(weight.shape)} and {tuple(bias.shape)}, but "
            "nano-trm's halting head has one row. Pass a checkpoint of its TRM module."
        )
    published["q_head.weight"] = torch.cat((weight, torch.zeros_like(weight)))
    published["q_head.bias"] = torch.cat((bias, torch.full_like(bias, _NEVER_WINS)))
    return published


def _check_parts(settings: Mapping[Any, Any], path: Path) -> None:
    """Refuse what the published network does not have, by its name."""
    problems = []
    position = settings.get("pos_emb_type")
    is_word = position is None or isinstance(position, str)
    if not is_word or position not in _POSITIONS:
        noun = "its own two-dimensional RoPE" if position == "2d" else "unknown"
        problems.append(f"pos_emb_type is {excerpt(position, 40)} ({noun})")
    for key, absent in _UNSUPPORTED.items():
        value = settings.get(key, absent[0])
        if not any(value is other or value == other for other in absent):
            problems.append(f"{key} is {excerpt(value, 40)}")
    if problems:
        raise ConfigError(
            f"{path} is of nano-trm, and its {'; '.join(problems)}. The published Tiny Recursive "
            f"Model has no such part, so it cannot be exported; {_SUPPORTED}."
        )


def _check_keys(settings: Mapping[Any, Any], path: Path) -> None:
    known = {"pos_emb_type", *_OF_TRAINING, *_UNSUPPORTED}
    for names in _SETTINGS.values():
        known.update(names)
    unknown = []
    for key in settings:
        is_off = "dropout" in str(key) and settings[key] in (0, None)
        if key not in known and not is_off:
            unknown.append(excerpt(key, 60))
    if unknown:
        raise ConfigError(
            f"{path}: hyper_parameters has keys that nano-trm's TRM does not have and that might "
            f"change the computation: {', '.join(sorted(unknown)[:20])}. Known: "
            f"{', '.join(sorted(known))}."
        )


def _values(settings: Mapping[Any, Any], path: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    missing = []
    for key, names in _SETTINGS.items():
        present = [name for name in names if settings.get(name) is not None]
        if not present:
            missing.append(names[0])
            continue
        value = settings[present[0]]
        if not isinstance(value, (bool, int, float)) or abs(value) > 2**53:
            raise ConfigError(
                f"{path}: {present[0]} of hyper_parameters must be a number, but got "
                f"{excerpt(value, 40)}."
            )
        values[key] = value
    if missing:
        raise ConfigError(
            f"{path}: hyper_parameters of nano-trm lacks {', '.join(missing)}. Pass a checkpoint "
            "as Lightning wrote it."
        )
    return values
