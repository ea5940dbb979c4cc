"""A commented configuration to fill in, for a checkpoint that came without ``all_config.yaml``."""

from __future__ import annotations

from typing import Any, NamedTuple

from trm_edge.errors import ConfigError
from trm_edge.export.arch_settings import DEFAULT_NAME
from trm_edge.export.checkpoint_config import UNKNOWN


class _Line(NamedTuple):
    """A setting and what it means."""

    key: str
    comment: str


_ARCH_LINES = (
    _Line("hidden_size", "D, width of the network: columns of lm_head.weight"),
    _Line("num_heads", "attention heads; leaves no trace in the weights, unused with mlp_t"),
    _Line("expansion", "mlp.down_proj.weight has expansion*D*2/3 columns, rounded up to 256s"),
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
_PUBLISHED: dict[str, Any] = {
    "hidden_size": 512,
    "num_heads": 8,
    "expansion": 4,
    "L_layers": 2,
    "H_cycles": 3,
    "L_cycles": 4,
    "halt_max_steps": 16,
    "pos_encodings": "rope",
    "mlp_t": False,
    "no_ACT_continue": True,
    "puzzle_emb_ndim": 512,
    "puzzle_emb_len": 16,
}
_SUDOKU = {"L_cycles": 6, "seq_len": 81, "vocab_size": 11, "num_puzzle_identifiers": 1}
_ARC = {"seq_len": 900, "vocab_size": 12}
# The published models (arXiv 2510.04871 and its code), by the name for --arch.
PRESETS: dict[str, dict[str, Any]] = {
    "sudoku-mlp": {**_PUBLISHED, **_SUDOKU, "mlp_t": True, "pos_encodings": "none"},
    "sudoku-attention": {**_PUBLISHED, **_SUDOKU},
    "maze": {**_PUBLISHED, "seq_len": 900, "vocab_size": 6, "num_puzzle_identifiers": 1},
    "arc-1": {**_PUBLISHED, **_ARC},
    "arc-2": {**_PUBLISHED, **_ARC},
}
_DEFAULTS = {"no_ACT_continue": True}


def config_template(arch: str | None = None) -> str:
    """Write a configuration as YAML, one commented setting a line.

    Args:
        arch: a key of ``PRESETS``; None leaves open what differs from model to model.

    Raises:
        ConfigError: there is no such preset.
    """
    if arch is not None and arch not in PRESETS:
        raise ConfigError(f"there is no published model {arch!r}; there are {', '.join(PRESETS)}.")
    values = _DEFAULTS if arch is None else PRESETS[arch]
    lines = [_heading(arch), "arch:", f"  name: {DEFAULT_NAME}"]
    lines += [_written(line, values) for line in _ARCH_LINES]
    lines.append("  # Of the dataset; leave these out if its dataset.json is at hand (--dataset).")
    for line in _DATASET_LINES:
        if arch is not None and line.key not in values:
            lines.append(f"  # {line.key}: {line.comment}")
        else:
            lines.append(_written(line, values))
    lines += [
        "# true where the weights are the averaged ones (the trainer saves them with ema: true);",
        "# raw weights load without complaint, and usually solve far fewer puzzles.",
        "ema: true" if arch is not None else f"ema: {UNKNOWN}",
    ]
    return "\n".join(lines) + "\n"


def _heading(arch: str | None) -> str:
    if arch is None:
        return (
            "# Configuration of a Tiny Recursive Model, for trm-edge export. Replace every "
            f"{UNKNOWN}\n"
            "# by the value that the run used: a wrong one may load without complaint and solve "
            "nothing.\n"
            "# Save it as all_config.yaml beside the weights, or pass it with --config."
        )
    return (
        f"# The published {arch} model, for trm-edge export. A run of your own may differ: a\n"
        "# wrong value may load without complaint and solve nothing.\n"
        "# Save it as all_config.yaml beside the weights, or pass it with --config."
    )


def _written(line: _Line, values: dict[str, Any]) -> str:
    value = values.get(line.key, UNKNOWN)
    if isinstance(value, bool):
        value = str(value).lower()
    return f"  {line.key}: {value}".ljust(32) + f"# {line.comment}"
