"""What tells the state of one unfinished fine-tuning from that of another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.calibration.qat.recipe import FinetuneRecipe
from trm_edge.calibration.recipe import CalibrationRecipe, QType
from trm_edge.errors import CalibrationError
from trm_edge.export.model import RecursiveModel
from trm_edge.records import Format, RecordKind
from trm_edge.tasks.base import Entry
from trm_edge.training.model_digest import model_digest
from trm_edge.training.state_file import StateFile

FORMAT = Format("trm-edge.finetune", 2)
KIND = RecordKind(FORMAT, "a fine-tuning state", CalibrationError, "Delete it to start again.")

_DIGESTS = {"checkpoint": "weights", "puzzles": "puzzles"}  # and what they are digests of
_FORMER_KEYS = {"kind": "qtype", "how": "finetune"}  # of version 1


@dataclass(frozen=True)
class FinetuneIdentity:
    """Everything that determines the result of a fine-tuning.

    Args:
        checkpoint: sha256 of the model's configuration and weights.
        puzzles: sha256 of the puzzles, their answers and their puzzle-embedding rows.
        qtype: the quantized type.
        recipe: rounding of inputs, and the method of their ranges.
        finetune: settings of the fine-tuning.
    """

    checkpoint: str
    puzzles: str
    qtype: QType
    recipe: CalibrationRecipe
    finetune: FinetuneRecipe


def identify(
    model: RecursiveModel,
    puzzle_embeddings: NDArray[np.float32] | None,
    entries: Sequence[Entry],
    qtype: QType,
    recipe: CalibrationRecipe,
    finetune_recipe: FinetuneRecipe,
) -> FinetuneIdentity:
    """Identify a fine-tuning by everything that determines its result.

    Args:
        model: the model to fine-tune.
        puzzle_embeddings: table (N, E) float32; None where the model has none.
        entries: puzzles to learn from.
        qtype: the quantized type.
        recipe: rounding of inputs, and the method of their ranges.
        finetune_recipe: settings of the fine-tuning.
    """
    return FinetuneIdentity(
        checkpoint=model_digest(model),
        puzzles=_digest_of_puzzles(entries, puzzle_embeddings),
        qtype=qtype,
        recipe=recipe,
        finetune=finetune_recipe,
    )


def state_file(path: Path, identity: FinetuneIdentity) -> StateFile:
    """Return the state file of a fine-tuning.

    Args:
        path: of the file.
        identity: of the fine-tuning.
    """
    return StateFile(path, KIND, identity, _DIGESTS, _identity_from)


def _digest_of_puzzles(
    entries: Sequence[Entry], puzzle_embeddings: NDArray[np.float32] | None
) -> str:
    digest = hashlib.sha256()
    for entry in entries:
        identifier = entry.puzzle.identifier
        digest.update(f"{identifier} {entry.answer is not None} ".encode())
        digest.update(np.asarray(entry.puzzle.tokens, np.int32).tobytes())
        if entry.answer is not None:
            digest.update(np.asarray(entry.answer, np.int32).tobytes())
        if puzzle_embeddings is not None:
            digest.update(np.asarray(puzzle_embeddings[identifier], np.float32).tobytes())
    return digest.hexdigest()


def _identity_from(stored: Any) -> dict[str, Any]:
    """The identity as a dict; version 1 stored JSON text and other keys.

    Raises:
        KeyError: a key of version 1 is missing.
        ValueError: it is something else.
    """
    is_version_1 = isinstance(stored, str)
    text = stored if is_version_1 else json.dumps(stored)  # tuples become lists
    identity = json.loads(text)
    if not isinstance(identity, dict):
        raise ValueError("its identity is not a dictionary")
    if not is_version_1:
        return identity
    for former, current in _FORMER_KEYS.items():
        identity[current] = identity.pop(former)
    return identity
