"""A bundle of a model with random weights that has rows for a few ARC tasks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from tests.arc.tasks import TASK, write_json
from tests.cli.commands import run
from tests.toys import BASE, write_run
from trm_edge.config import ModelConfig
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.profile import Precision
from trm_edge.targets.export_bundle import export_bundle
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.request import ExportRequest
from trm_edge.tasks import task_for

SHAPE = replace(
    BASE,
    hidden_size=16,
    expansion=1.0,
    L_layers=1,
    H_cycles=1,
    L_cycles=1,
    halt_max_steps=2,
    puzzle_emb_ndim=16,
    puzzle_emb_len=1,
    seq_len=900,
    vocab_size=12,
)
# With attention, which takes far fewer weights on so many cells.
ATTENTION = replace(SHAPE, mlp_t=False, pos_encodings="rope")
OTHER = {**TASK, "test": [{"input": [[6]], "output": [[7]]}, {"input": [[8]], "output": [[9]]}]}
TASKS = {"a": TASK, "b": OTHER}


def write_dataset(folder: Path) -> Path:
    """A dataset of the two tasks with two variants each."""
    source = write_json(folder / "tasks.json", TASKS)
    dataset = folder / "dataset"
    assert run("data", "arc", source, "--augmentations", 2, "-o", dataset).exit_code == 0
    return dataset


def write_bundle(folder: Path, precision: Precision = "fp32", shape: ModelConfig = SHAPE) -> Path:
    """A bundle with rows for the dataset's puzzles, and their names."""
    dataset = write_dataset(folder)
    names = json.loads((dataset / "identifiers.json").read_text())
    weights = write_run(folder / "run", replace(shape, num_puzzle_identifiers=len(names)))
    write_json(weights.parent / "identifiers.json", names)
    checkpoint = load_checkpoint(weights)
    request = ExportRequest(
        checkpoint=checkpoint,
        task=task_for(checkpoint.config),
        precision=precision,
        targets=(load_profile("cpu"),),
        dataset=dataset,
    )
    return export_bundle(request, folder / "bundle").path
