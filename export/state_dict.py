"""State dictionaries: found inside a wrapper, chosen, and freed of the prefix of their keys."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from trm_edge.errors import CheckpointError
from trm_edge.printable import excerpt

logger = logging.getLogger(__name__)

SENTINEL = "lm_head.weight"  # every Tiny Recursive Model has it, and nothing else in its run
_FLOATS = (torch.float32, torch.bfloat16, torch.float16)
_AVERAGED = frozenset({"ema", "shadow", "averaged", "average", "avg", "swa"})
_RAW = frozenset({"raw", "online", "current"})  # current_model_state: Lightning
_BOOKKEEPING = frozenset({"n_averaged"})  # of torch.optim.swa_utils.AveragedModel
_MAX_DEPTH = 4  # of dictionaries around the state dictionary
_MAX_VISITED = 1000  # dictionaries looked at
_NAMES_SHOWN = 5
_ROWS_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class StateDict:
    """A model's tensors under the names of :class:`~trm_edge.export.model.RecursiveModel`.

    Args:
        tensors: by name, without prefix; the puzzle-embedding table included.
        averaged: the file itself says that these are averaged weights.
    """

    tensors: dict[str, Tensor]
    averaged: bool


@dataclass(frozen=True)
class _Candidate:
    """One state dictionary of a file: its place, such as ``ema.shadow``, and its tensors."""

    place: str
    tensors: dict[str, Tensor]

    @property
    def rank(self) -> int:
        """1 for averaged weights, -1 for raw ones, 0 where the name does not say."""
        words = set(re.split(r"[._\W]+", self.place.lower()))
        if words & _AVERAGED:
            return 1
        return -1 if words & _RAW else 0


def find_state_dict(content: object, path: Path) -> StateDict:
    """Find the one state dictionary in a file's content; of averaged and raw, the averaged.

    Args:
        content: what the file holds.
        path: the file, for messages.

    Raises:
        CheckpointError: there is none, or several that could be meant, or a tensor is unusable.
    """
    candidates = list(_candidates(content, path))
    if not candidates:
        raise CheckpointError(_no_state_dict(content, path))
    chosen = _choose(candidates, path)
    tensors = dict(chosen.tensors)
    others = [candidate for candidate in candidates if candidate is not chosen]
    if len(others) == 1:
        filled = [name for name in others[0].tensors if name not in tensors]
        for name in filled:
            tensors[name] = others[0].tensors[name]
        if filled:
            names = ", ".join(excerpt(name, 60) for name in sorted(filled)[:_NAMES_SHOWN])
            logger.info("took what is not averaged from %s: %s", others[0].place, names)
    for name, value in tensors.items():
        _check_tensor(name, value, path)
    _check_total(tensors, path)
    averaged = chosen.rank > 0 or any(other.rank < chosen.rank for other in others)
    return StateDict(tensors, averaged)


def _choose(candidates: list[_Candidate], path: Path) -> _Candidate:
    best = max(candidate.rank for candidate in candidates)
    chosen = [candidate for candidate in candidates if candidate.rank == best]
    places = ", ".join(excerpt(candidate.place or "the file itself", 60) for candidate in chosen)
    if len(chosen) > 1:
        raise CheckpointError(
            f"{path} holds several models: {places}. Save the one to export alone: "
            "torch.save(content[KEY], 'step_N')."
        )
    if len(candidates) > 1:
        logger.info("took the averaged weights, %s, and not the raw ones", places)
    elif chosen[0].place:
        logger.info("took the weights from %s", places)
    return chosen[0]


def _candidates(content: object, path: Path) -> Iterator[_Candidate]:
    """Every state dictionary with the sentinel, at most a few dictionaries deep."""
    queue: list[tuple[str, object, int]] = [("", content, 0)]
    visited: set[int] = set()
    while queue and len(visited) < _MAX_VISITED:
        place, value, depth = queue.pop(0)
        if not isinstance(value, Mapping) or id(value) in visited or depth > _MAX_DEPTH:
            continue
        visited.add(id(value))
        prefixes = _prefixes(value)
        if prefixes:
            yield from _split(value, prefixes, place, path)
            continue
        for key, inner in value.items():
            if isinstance(key, str) and isinstance(inner, Mapping):
                queue.append((f"{place}.{key}" if place else key, inner, depth + 1))


def _prefixes(values: Mapping[object, object]) -> list[str]:
    prefixes = []
    for key in values:
        if isinstance(key, str) and (key == SENTINEL or key.endswith(f".{SENTINEL}")):
            prefixes.append(key.removesuffix(SENTINEL))
    return sorted(prefixes, key=len, reverse=True)


def _split(
    values: Mapping[object, object], prefixes: list[str], place: str, path: Path
) -> Iterator[_Candidate]:
    """The models in one flat dictionary, by prefix; a key of none of them is a contradiction."""
    by_prefix: dict[str, dict[str, Tensor]] = {prefix: {} for prefix in prefixes}
    stray = []
    for key, value in values.items():
        if key in _BOOKKEEPING:
            continue
        prefix = None
        if isinstance(key, str):
            prefix = next((known for known in prefixes if key.startswith(known)), None)
        if prefix is None:
            stray.append(excerpt(key, 60))
        elif not isinstance(value, Tensor):
            raise CheckpointError(
                f"{path}: {excerpt(key, 80)} holds {_noun(value)}, but a tensor was expected. "
                "Save the model's state_dict() alone."
            )
        else:
            by_prefix[prefix][str(key).removeprefix(prefix)] = value
    if stray:
        raise CheckpointError(
            f"{path}: keys carry the prefix {excerpt(prefixes[-1], 80)!r}, but these do not: "
            f"{', '.join(sorted(stray)[:_NAMES_SHOWN])}. Save the model's state_dict() alone."
        )
    swa = ["averaged"] if _BOOKKEEPING & set(map(str, values)) else []
    for prefix, tensors in by_prefix.items():
        parts = [part for part in (place, *swa) if part]
        if len(prefixes) > 1:
            parts.append(prefix.rstrip("."))
        yield _Candidate(".".join(parts), tensors)


def _no_state_dict(content: object, path: Path) -> str:
    if not isinstance(content, Mapping):
        return (
            f"{path} holds {_noun(content)}, but a bare state_dict (name to tensor) was expected. "
            "Save the model's state_dict() alone."
        )
    keys = [excerpt(key, 60) for key in list(content)[:_NAMES_SHOWN]]
    first_keys = ", ".join(sorted(keys)) or "nothing"
    if "input_embed.weight" in content and "to_pred.weight" in content:
        return (
            f"{path} is of the package tiny-recursive-model (lucidrains), whose network is another "
            f"one than the published trainer's: it cannot be exported. Its keys: {first_keys}."
        )
    if content and not any(isinstance(value, Tensor) for value in content.values()):
        return (
            f"{path} holds a dictionary with the keys {first_keys}, but a bare state_dict (name to "
            f"tensor) with {SENTINEL} was expected. Save the model's state_dict() alone."
        )
    return (
        f"{path} is not a Tiny Recursive Model: there is no {SENTINEL}, under whatever prefix. "
        f"Its keys start with: {first_keys}."
    )


def _noun(value: object) -> str:
    if isinstance(value, Mapping):
        return "a dictionary"
    return f"a {type(value).__name__}"


def _check_tensor(name: str, value: Tensor, path: Path) -> None:
    shown = excerpt(name, 80)
    if value.dtype not in _FLOATS:
        raise CheckpointError(
            f"{path}: {shown} has type {value.dtype}, but float32, bfloat16 or float16 was "
            "expected."
        )
    if value.layout is not torch.strided or value.device.type != "cpu" or value.is_quantized:
        raise CheckpointError(
            f"{path}: {shown} is a {value.layout} tensor on {value.device}, but plain values were "
            "expected. Save model.float().cpu().state_dict()."
        )


def _check_total(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Refuse tensors that repeat a few stored values, and values that are not finite."""
    size = path.stat().st_size
    claimed = sum(value.numel() * value.element_size() for value in tensors.values())
    if claimed > 4 * size:
        raise CheckpointError(
            f"{path}: its tensors have {claimed} bytes, but the file has only {size}. Expanded "
            "tensors are not read; save the model's state_dict() as it is."
        )
    for name, value in tensors.items():
        if value.numel() == 0:
            continue
        count = 0
        rows = torch.split(value, _ROWS_AT_ONCE) if value.ndim else (value,)
        for part in rows:
            count += int((~torch.isfinite(part)).sum())
        if count:
            raise CheckpointError(
                f"{path}: {excerpt(name, 80)} holds {count} values that are NaN or infinite. "
                "The run diverged; take an earlier checkpoint."
            )
