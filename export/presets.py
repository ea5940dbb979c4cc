"""Settings of published models, by the name for ``trm-edge config --arch``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trm_edge.export.arch_settings import DEFAULT_NAME

_SINGLE_STATE = "recursive_reasoning.trm_singlez@TinyRecursiveReasoningModel_ACTV1"
_SIX_STATES = "recursive_reasoning.trm_hier6@TinyRecursiveReasoningModel_ACTV1"
_TRANSFORMER = "recursive_reasoning.transformers_baseline@Model_ACTV2"
_HRM = "hrm.hrm_act_v1@HierarchicalReasoningModel_ACTV1"
_HRM_OF_TRM = "recursive_reasoning.hrm@HierarchicalReasoningModel_ACTV1"


@dataclass(frozen=True)
class Preset:
    """The configuration of a published model.

    Args:
        name: its ``arch.name``.
        values: settings of ``arch`` and of the dataset by key. The dataset's may be missing where
            the architecture was published for no particular one.
        averaged: the trainer saves averaged weights (``ema``); None where it has no such setting.
        origin: names the model in the heading of the file.
    """

    name: str
    values: Mapping[str, Any]
    averaged: bool | None
    origin: str


_SUDOKU = {"seq_len": 81, "vocab_size": 11, "num_puzzle_identifiers": 1}
_MAZE = {"seq_len": 900, "vocab_size": 6, "num_puzzle_identifiers": 1}
_ARC = {"seq_len": 900, "vocab_size": 12}  # rows: of the weights
# What every published model has.
_SHARED = {
    "hidden_size": 512,
    "num_heads": 8,
    "expansion": 4,
    "halt_max_steps": 16,
    "pos_encodings": "rope",
    "puzzle_emb_ndim": 512,
}
_TRM = {
    **_SHARED,
    "L_layers": 2,
    "H_cycles": 3,
    "L_cycles": 4,
    "mlp_t": False,
    "no_ACT_continue": True,
    "puzzle_emb_len": 16,
}
_TRM_DEEP = {**_TRM, "L_cycles": 6}  # as the trainer's arch files have it
_TWO_NETWORKS = {**_SHARED, "H_layers": 4, "L_layers": 4, "H_cycles": 2, "L_cycles": 2}
_SMALL_HRM = {
    **_TWO_NETWORKS,
    "hidden_size": 128,
    "num_heads": 4,
    "H_layers": 2,
    "L_layers": 2,
    "pos_encodings": "none",
    "mlp_t": True,
    "puzzle_emb_ndim": 128,
}


def _trm(label: str, **values: Any) -> Preset:
    return Preset(DEFAULT_NAME, {**_TRM, **values}, True, f"The published {label} model")


def _hrm(label: str, **values: Any) -> Preset:
    return Preset(_HRM, {**_TWO_NETWORKS, **values}, None, f"The published HRM{label}")


PRESETS: dict[str, Preset] = {
    # arXiv 2510.04871 and its code
    "sudoku-mlp": _trm("sudoku-mlp", **_SUDOKU, L_cycles=6, mlp_t=True, pos_encodings="none"),
    "sudoku-attention": _trm("sudoku-attention", **_SUDOKU, L_cycles=6),
    "maze": _trm("maze", **_MAZE),
    "arc-1": _trm("arc-1", **_ARC),
    "arc-2": _trm("arc-2", **_ARC),
    "trm-singlez": Preset(
        _SINGLE_STATE, _TRM_DEEP, True, "The trainer's own settings of the variant with one state"
    ),
    "trm-hier6": Preset(
        _SIX_STATES,
        _TRM_DEEP,
        True,
        "The trainer's own settings of the variant with six low states",
    ),
    "transformer": Preset(
        _TRANSFORMER,
        {**_SHARED, "H_layers": 8, "num_heads": 12},
        True,
        "The trainer's own settings of the transformer without recursion",
    ),
    # arXiv 2506.21734 and its code; the small one is of tools/train_reference.py
    "hrm-sudoku": _hrm(" for Sudoku", **_SUDOKU),
    "hrm-sudoku-full": _hrm(
        " for the full Sudoku set", **_SUDOKU, L_cycles=8, halt_max_steps=8, pos_encodings="learned"
    ),
    "hrm-sudoku-small": Preset(
        _HRM_OF_TRM, {**_SMALL_HRM, **_SUDOKU}, True, "trm-edge's own small HRM for Sudoku"
    ),
    "hrm-maze": _hrm(" for mazes of 30x30", **_MAZE),
    "hrm-arc": _hrm(" for ARC", **_ARC),
    "hrm": _hrm(""),
}
