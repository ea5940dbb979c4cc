"""The state of an unfinished training on disk, written completely or not at all.

The file is one that ``torch.save`` writes: a format line, the identity of the training, and the
content that continues it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from trm_edge import records
from trm_edge.errors import CheckpointError, OutputError
from trm_edge.export.weight_file import read_weights
from trm_edge.files import error_reason, replace_file
from trm_edge.printable import excerpt
from trm_edge.records import RecordKind


class StateFile:
    """The state file of one training.

    Args:
        path: of the file.
        kind: format, name and error of the file.
        identity: record of everything that determines the result of the training.
        digests: fields of the identity that are sha256 digests, and what of.
        read_identity: turns the stored identity into a dict, where older versions differ; it may
            raise KeyError, TypeError or ValueError.
    """

    def __init__(
        self,
        path: Path,
        kind: RecordKind,
        identity: Any,
        digests: Mapping[str, str],
        read_identity: Callable[[Any], dict[str, Any]] | None = None,
    ) -> None:
        self.path = path
        self.identity = identity
        self._kind = kind
        self._digests = digests
        self._read_identity = read_identity or _as_dict

    def write(self, content: Mapping[str, Any]) -> None:
        """Write a state completely or not at all; folders above it are created.

        Args:
            content: tensors and plain values, as ``torch.load`` reads them with ``weights_only``.

        Raises:
            TrmEdgeError: of the file's kind: it cannot be written.
        """
        state = {
            "format": str(self._kind.format),
            "identity": records.to_builtins(self.identity),
            "content": dict(content),
        }
        try:
            with replace_file(self.path) as file:
                torch.save(state, file)
        except (OutputError, RuntimeError) as error:
            cause = error.__cause__
            reason = error_reason(cause) if isinstance(cause, OSError) else str(error)
            raise self._kind.error(
                f"{self._kind.noun} cannot be saved in {self.path}: {reason}. Free some space "
                "there, or choose another -o."
            ) from error

    def read(self) -> dict[str, Any]:
        """Read the content that was written for the same training.

        Raises:
            TrmEdgeError: of the file's kind: the file cannot be read, or is of another training;
                names the differences.
        """
        kind = self._kind
        try:
            if not self.path.is_file():
                raise CheckpointError(f"{self.path} is not a regular file.")
            state = read_weights(self.path)
        except (CheckpointError, OSError) as error:
            raise kind.error(
                f"{self.path} is not {kind.noun} that can be read: it is damaged, cut short, or "
                f"holds more than tensors and numbers. {kind.remedy}"
            ) from error
        records.check_format(state, kind, str(self.path))
        if not isinstance(state, dict):  # check_format has refused it
            raise TypeError("a state is a dictionary")
        try:
            identity = self._read_identity(state["identity"])
            content: dict[str, Any] = dict(state["content"])
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise kind.error(
                f"{self.path} is not {kind.noun} that can be read: {excerpt(error, 80)}. "
                f"{kind.remedy}"
            ) from error
        differences = self._differences(_as_json(identity), _as_json(self.identity))
        if differences:
            raise kind.error(
                f"{self.path} is {kind.noun} of another run: {', '.join(differences)}. Continue "
                "with the same settings, or delete it to start again."
            )
        return content

    def _differences(self, saved: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
        differences = []
        for name in sorted({*saved, *expected}):
            saved_value = saved.get(name)
            expected_value = expected.get(name)
            if saved_value == expected_value:
                continue
            if name in self._digests:
                differences.append(f"other {self._digests[name]}")
            elif isinstance(saved_value, dict) and isinstance(expected_value, dict):
                differences.extend(self._differences(saved_value, expected_value))
            else:
                shown = excerpt(repr(saved_value), 60)
                differences.append(f"{excerpt(name, 60)} {shown}, not {expected_value!r}")
        return differences


def _as_dict(stored: Any) -> dict[str, Any]:
    if not isinstance(stored, dict):
        raise TypeError("its identity is not a dictionary")
    return stored


def _as_json(identity: Any) -> dict[str, Any]:
    """Turn tuples into lists, so that stored and new values compare."""
    values: dict[str, Any] = json.loads(json.dumps(records.to_builtins(identity)))
    return values
