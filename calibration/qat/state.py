"""State of an unfinished fine-tuning on disk, written completely or not at all.

The file is one that ``torch.save`` writes: a format line, the identity of the fine-tuning, and the
content that continues it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trm_edge import records
from trm_edge.calibration.qat.recipe import FinetuneRecipe
from trm_edge.calibration.recipe import CalibrationRecipe, QType
from trm_edge.errors import CalibrationError, CheckpointError, OutputError
from trm_edge.export.model import RecursiveModel
from trm_edge.export.weight_file import read_weights
from trm_edge.files import error_reason, replace_file
from trm_edge.printable import excerpt
from trm_edge.records import Format, RecordKind
from trm_edge.tasks.base import Entry

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
        checkpoint=_digest_of_model(model),
        puzzles=_digest_of_puzzles(entries, puzzle_embeddings),
        qtype=qtype,
        recipe=recipe,
        finetune=finetune_recipe,
    )


class StateFile:
    """The state file of one fine-tuning.

    Args:
        path: of the file.
        identity: of the fine-tuning.
    """

    def __init__(self, path: Path, identity: FinetuneIdentity) -> None:
        self.path = path
        self.identity = identity

    def write(self, content: Mapping[str, Any]) -> None:
        """Write a state completely or not at all; folders above it are created.

        Args:
            content: tensors and plain values, as ``torch.load`` reads them with ``weights_only``.

        Raises:
            CalibrationError: it cannot be written.
        """
        state = {
            "format": str(FORMAT),
            "identity": records.to_builtins(self.identity),
            "content": dict(content),
        }
        try:
            with replace_file(self.path) as file:
                torch.save(state, file)
        except (OutputError, RuntimeError) as error:
            cause = error.__cause__
            reason = error_reason(cause) if isinstance(cause, OSError) else str(error)
            raise CalibrationError(
                f"the state of fine-tuning cannot be saved in {self.path}: {reason}. Free some "
                "space there, or choose another -o."
            ) from error

    def read(self) -> dict[str, Any]:
        """Read the content that was written for the same fine-tuning.

        Raises:
            CalibrationError: the file cannot be read, or is of another fine-tuning; names the
                differences.
        """
        try:
            if not self.path.is_file():
                raise CheckpointError(f"{self.path} is not a regular file.")
            state = read_weights(self.path)
        except (CheckpointError, OSError) as error:
            raise CalibrationError(
                f"{self.path} is not a fine-tuning state that can be read: it is damaged, cut "
                f"short, or holds more than tensors and numbers. {KIND.remedy}"
            ) from error
        records.check_format(state, KIND, str(self.path))
        if not isinstance(state, dict):  # check_format has refused it
            raise TypeError("a state is a dictionary")
        try:
            identity = _identity_from(state["identity"])
            content: dict[str, Any] = dict(state["content"])
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise CalibrationError(
                f"{self.path} is not a fine-tuning state that can be read: "
                f"{excerpt(error, 80)}. {KIND.remedy}"
            ) from error
        differences = _differences(_as_json(identity), _as_json(self.identity))
        if differences:
            raise CalibrationError(
                f"{self.path} is the state of another fine-tuning: {', '.join(differences)}. "
                "Continue with the same settings, or delete it to start again."
            )
        return content


def _digest_of_model(model: RecursiveModel) -> str:
    digest = hashlib.sha256()
    digest.update(json.dumps(model.config.to_dict()).encode())
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        digest.update(value.float().contiguous().numpy().tobytes())
    return digest.hexdigest()


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


def _as_json(identity: Any) -> dict[str, Any]:
    """Turn tuples into lists: a state of version 1 was JSON."""
    values: dict[str, Any] = json.loads(json.dumps(records.to_builtins(identity)))
    return values


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


def _differences(saved: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    differences = []
    for name in sorted({*saved, *expected}):
        saved_value = saved.get(name)
        expected_value = expected.get(name)
        if saved_value == expected_value:
            continue
        if name in _DIGESTS:
            differences.append(f"other {_DIGESTS[name]}")
        elif isinstance(saved_value, dict) and isinstance(expected_value, dict):
            differences.extend(_differences(saved_value, expected_value))
        else:
            shown = excerpt(repr(saved_value), 60)
            differences.append(f"{excerpt(name, 60)} {shown}, not {expected_value!r}")
    return differences
