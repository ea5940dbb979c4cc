"""The state of an unfinished fine-tuning on disk: whose it is, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trm_edge.errors import CalibrationError
from trm_edge.export.model import TinyRecursiveModel
from trm_edge.tasks.base import Entry

FORMAT = "trm-edge.finetune/1"

_DIGESTS = {"checkpoint": "weights", "puzzles": "puzzles"}  # and what they are of


def identity(
    model: TinyRecursiveModel,
    puzzle_embeddings: NDArray[np.float32] | None,
    entries: Sequence[Entry],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """What decides a fine-tuning: digests of the weights and of the puzzles, and the settings."""
    weights, puzzles = hashlib.sha256(), hashlib.sha256()
    weights.update(json.dumps(model.config.to_dict()).encode())
    for name, value in model.state_dict().items():
        weights.update(name.encode())
        weights.update(value.float().contiguous().numpy().tobytes())
    for entry in entries:
        row = entry.puzzle.identifier
        puzzles.update(f"{row} {entry.answer is not None} ".encode())
        puzzles.update(np.asarray(entry.puzzle.tokens, np.int32).tobytes())
        if entry.answer is not None:
            puzzles.update(np.asarray(entry.answer, np.int32).tobytes())
        if puzzle_embeddings is not None:
            puzzles.update(np.asarray(puzzle_embeddings[row], np.float32).tobytes())
    digests = {"checkpoint": weights.hexdigest(), "puzzles": puzzles.hexdigest()}
    content: dict[str, Any] = json.loads(json.dumps({**digests, **settings}))
    return content


def write_state(path: Path, mine: Mapping[str, Any], content: Mapping[str, Any]) -> None:
    """Write a state, whole or not at all; folders above it are made.

    Raises:
        CalibrationError: it cannot be written.
    """
    state = {"format": FORMAT, "identity": json.dumps(mine), "content": dict(content)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                torch.save(state, file)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except (OSError, RuntimeError) as error:
        raise CalibrationError(
            f"the state of fine-tuning cannot be kept in {path}: {error}. Make room there, or "
            "name another place."
        ) from error


def read_state(path: Path, mine: Mapping[str, Any]) -> dict[str, Any]:
    """The content that was written for the same fine-tuning.

    Raises:
        CalibrationError: it cannot be read, or is of another fine-tuning; says what differs.
    """
    try:
        state = torch.load(path, weights_only=True)
        if not isinstance(state, dict) or state.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        found = json.loads(state["identity"])
        content: dict[str, Any] = state["content"]
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.PickleError) as error:
        reason = str(error).partition("\n")[0].rstrip(".") or "it ends too early"
        raise CalibrationError(
            f"{path} is no state of fine-tuning that can be read: {reason}. It may have been cut "
            "short. Delete it to begin anew."
        ) from error
    different = _differences(found, mine)
    if different:
        raise CalibrationError(
            f"{path} is the state of another fine-tuning: {', '.join(different)}. Go on with what "
            "it was begun with, or delete it to begin anew."
        )
    return content


def _differences(found: Mapping[str, Any], mine: Mapping[str, Any]) -> list[str]:
    texts = []
    for name in sorted({*found, *mine}):
        one, other = found.get(name), mine.get(name)
        if one == other:
            continue
        if name in _DIGESTS:
            texts.append(f"other {_DIGESTS[name]}")
        elif isinstance(one, dict) and isinstance(other, dict):
            texts.extend(_differences(one, other))
        else:
            texts.append(f"{name} {one!r}, not {other!r}")
    return texts
