"""A commented configuration to fill in, for a checkpoint that came without ``all_config.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from trm_edge.errors import ConfigError
from trm_edge.export.arch_settings import DEFAULT_NAME, arch_settings
from trm_edge.export.checkpoint_config import UNKNOWN
from trm_edge.export.presets import PRESETS, Preset


class _Line(NamedTuple):
    """A setting and what it means."""

    key: str
    comment: str


_ARCH_LINES = (
    _Line("hidden_size", "D, width of the network: columns of lm_head.weight"),
    _Line("num_heads", "attention heads; leaves no trace in the weights, unused with mlp_t"),
    _Line("expansion", "mlp.down_proj.weight has expansion*D*2/3 columns, rounded up to 256s"),
    _Line("H_layers", "blocks of the second network: H_level.layers.0, .1, ..."),
    _Line("L_layers", "blocks: L_level.layers.0, .1, ..."),
    _Line("H_cycles", "updates of z_H in a step; leaves no trace in the weights"),
    _Line("L_cycles", "updates of z_L before each; leaves no trace in the weights"),
    _Line("halt_max_steps", "steps after which training stops a puzzle"),
    _Line("pos_encodings", "rope, learned (embed_pos.embedding_weight is there) or none"),
    _Line("mlp_t", "true where the blocks have mlp_t.* in place of self_attn.*"),
    _Line("no_ACT_continue", "true: halt where q_halt > 0; false: where q_halt > q_continue"),
    _Line("puzzle_emb_ndim", "columns of puzzle_emb.weights; 0 where there is none"),
    _Line("puzzle_emb_len", "positions of the puzzle embedding; 0: ceil(puzzle_emb_ndim / D)"),
)
_DATASET_LINES = (
    _Line("seq_len", "tokens of a puzzle: 81 for Sudoku, 900 for a 30x30 grid"),
    _Line("vocab_size", "token ids: rows of lm_head.weight"),
    _Line("num_puzzle_identifiers", "rows of puzzle_emb.weights; read from there if left out"),
)
_ROWS = "num_puzzle_identifiers"
_DEFAULTS = {"no_ACT_continue": True}
_PLACE = "# Save it as all_config.yaml beside the weights, or pass it with --config."
_OPEN_HEADING = [
    f"# Configuration of a Tiny Recursive Model, for trm-edge export. Replace every {UNKNOWN}",
    "# by the value that the run used: a wrong one may load without complaint and solve nothing.",
    _PLACE,
]
_EMA_COMMENT = [
    "# true where the weights are the averaged ones (the trainer saves them with ema: true);",
    "# raw weights load without complaint, and usually solve far fewer puzzles.",
]


def config_template(arch: str | None = None) -> str:
    """Write a configuration as YAML, one commented setting a line.

    Args:
        arch: a key of ``PRESETS``; None leaves open what differs from model to model.

    Raises:
        ConfigError: there is no such preset.
    """
    if arch is None:
        preset = Preset(DEFAULT_NAME, _DEFAULTS, None, "")
        heading = _OPEN_HEADING
    elif arch in PRESETS:
        preset = PRESETS[arch]
        heading = _heading(preset)
    else:
        raise ConfigError(f"there is no published model {arch!r}; there are {', '.join(PRESETS)}.")
    settings = arch_settings(preset.name, "the template")
    known = {*settings.required, *settings.defaults}
    lines = [*heading, "arch:", f"  name: {preset.name}"]
    lines += [_written(line, preset.values) for line in _ARCH_LINES if line.key in known]
    lines.append("  # Of the dataset; leave these out if its dataset.json is at hand (--dataset).")
    for line in _DATASET_LINES:
        if arch is not None and line.key == _ROWS and _ROWS not in preset.values:
            lines.append(f"  # {line.key}: {line.comment}")
        else:
            lines.append(_written(line, preset.values))
    if arch is None or preset.averaged is not None:
        lines += _EMA_COMMENT
        value = UNKNOWN if preset.averaged is None else str(preset.averaged).lower()
        lines.append(f"ema: {value}")
    return "\n".join(lines) + "\n"


def _heading(preset: Preset) -> list[str]:
    return [
        f"# {preset.origin}, for trm-edge export.",
        "# Your own run may differ: a wrong value may load without complaint and solve nothing.",
        _PLACE,
    ]


def _written(line: _Line, values: Mapping[str, Any]) -> str:
    value = values.get(line.key, UNKNOWN)
    if isinstance(value, bool):
        value = str(value).lower()
    return f"  {line.key}: {value}".ljust(32) + f"# {line.comment}"
