"""A toy model of ARC-AGI, and two tasks for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from tests.toys import BASE, toy_model
from trm_edge.arc.encoding import CELLS, VOCAB_SIZE
from trm_edge.arc.task import ArcTask, parse_task
from trm_edge.export.checkpoint import Checkpoint, load_checkpoint
from trm_edge.training.run_folder import write_checkpoint

ARC_TOY = replace(
    BASE,
    hidden_size=16,
    puzzle_emb_ndim=16,
    L_layers=1,
    H_cycles=1,
    L_cycles=1,
    mlp_t=False,
    pos_encodings="rope",
    seq_len=CELLS,
    vocab_size=VOCAB_SIZE,
    num_puzzle_identifiers=4,
)
NAMES = ["<blank>", "mirror", "mirror|||t4|||0132456789", "other"]
MIRROR = {
    "train": [
        {"input": [[1, 2], [3, 4]], "output": [[2, 1], [4, 3]]},
        {"input": [[5, 0, 7]], "output": [[7, 0, 5]]},
    ],
    "test": [{"input": [[8, 9]], "output": [[9, 8]]}],
}
RECOLOUR = {
    "train": [{"input": [[1, 1], [0, 1]], "output": [[2, 2], [0, 2]]}],
    "test": [{"input": [[1, 0]], "output": [[2, 0]]}],
}


def toy_tasks() -> list[ArcTask]:
    """The tasks."""
    return [parse_task("mirror", MIRROR), parse_task("recolour", RECOLOUR)]


def toy_run(folder: Path) -> Path:
    """Write a run folder of the model, whose table names its rows."""
    model = toy_model(ARC_TOY)
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(len(NAMES), ARC_TOY.puzzle_emb_ndim, generator=generator)
    write_checkpoint(folder, model, table, 10, {"ema": True}, names=NAMES)
    return folder


def toy_checkpoint(folder: Path) -> Checkpoint:
    """The model as a checkpoint, written to a folder."""
    return load_checkpoint(toy_run(folder))
