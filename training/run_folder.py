"""A run folder: what ``trm-edge export`` takes, in the published trainer's format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import yaml
from torch import Tensor

from trm_edge.config import ModelConfig
from trm_edge.export.arch_settings import published_name
from trm_edge.export.model import RecursiveModel
from trm_edge.folder_writer import FolderWriter
from trm_edge.identifiers import IDENTIFIERS_NAME

_CONFIG_NAME = "all_config.yaml"
PREFIX = "_orig_mod.model.inner."  # a compiled run's state_dict


def write_checkpoint(
    folder: Path,
    model: RecursiveModel,
    puzzle_embeddings: Tensor | None,
    step: int,
    training: Mapping[str, object],
    dtype: torch.dtype = torch.float32,
    names: Sequence[str] | None = None,
) -> Path:
    """Write ``step_{step}``, ``all_config.yaml`` and ``dataset.json`` into ``folder``.

    With names there is an ``identifiers.json``, too.

    Args:
        folder: output folder.
        model: the trained model.
        puzzle_embeddings: (N, E), or None if the model has no table.
        step: number of optimizer steps.
        training: settings of the run (learning rate, batch, seed), stored beside ``arch``.
        dtype: element type of the weights.
        names: of the rows of the table; None where they have none.

    Returns:
        Path of the weight file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = dict(model.state_dict())
    if puzzle_embeddings is not None:
        weights["puzzle_emb.weights"] = puzzle_embeddings
    initial = {name for name, _ in model.named_buffers()}
    state = {}
    for name, value in weights.items():
        stored_dtype = torch.bfloat16 if name in initial else dtype
        state[PREFIX + name] = value.detach().cpu().to(stored_dtype).clone()
    path = folder / f"step_{step}"
    torch.save(state, path)
    config = model.config
    (folder / _CONFIG_NAME).write_text(
        yaml.safe_dump({"arch": _arch(config), **training}, sort_keys=True)
    )
    metadata = {
        "pad_id": 0,
        "ignore_label_id": 0,
        "blank_identifier_id": 0,
        "vocab_size": config.vocab_size,
        "seq_len": config.seq_len,
        "num_puzzle_identifiers": config.num_puzzle_identifiers,
        "sets": ["all"],
    }
    (folder / "dataset.json").write_text(json.dumps(metadata) + "\n")
    if names is not None:
        (folder / IDENTIFIERS_NAME).write_text(json.dumps(list(names)) + "\n")
    return path


class RunWriter(FolderWriter):
    """Collects the files of a run in a hidden folder and puts it in place at the end.

    Args:
        output: folder that will be the run.
        force: replace a run or an empty folder that is there.

    Raises:
        OutputExistsError: on entry: the output exists and ``force`` is not set, or it is no run.
        OutputError: on entry: nothing can be written beside the output, or another process is
            writing to it; on exit: the disk is full or read-only.
    """

    @staticmethod
    def is_replaceable(folder: Path) -> bool:
        """Tell whether a folder is a run.

        Args:
            folder: that is there; neither empty nor a link.
        """
        return (folder / _CONFIG_NAME).is_file() and any(folder.glob("step_*"))

    @staticmethod
    def noun() -> str:
        """Return what the output is, with its article."""
        return "a run folder"


def _arch(config: ModelConfig) -> dict[str, object]:
    return {
        "name": published_name(config),
        "loss": {"loss_type": "stablemax_cross_entropy", "name": "losses@ACTLossHead"},
        "H_cycles": config.H_cycles,
        "L_cycles": config.L_cycles,
        "H_layers": config.H_layers,
        "L_layers": config.L_layers,
        "hidden_size": config.hidden_size,
        "num_heads": config.num_heads,
        "expansion": config.expansion,
        "halt_max_steps": config.halt_max_steps,
        "halt_exploration_prob": 0.1,
        "no_ACT_continue": config.no_ACT_continue,
        "mlp_t": config.mlp_t,
        "pos_encodings": config.pos_encodings,
        "rope_theta": config.rope_theta,
        "puzzle_emb_ndim": config.puzzle_emb_ndim,
        "puzzle_emb_len": config.puzzle_emb_len,
        "forward_dtype": "bfloat16",
    }
