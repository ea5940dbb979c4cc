"""Settings of a run that goes on in its folder: what differs from those it was begun with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from trm_edge.errors import OutputExistsError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_SHA256_LENGTH = 64
_SHOWN_LENGTH = 12  # of a hash


def differences(
    before: DataclassInstance, after: DataclassInstance, titles: Mapping[str, str]
) -> list[str]:
    """Name every setting that differs, with both values.

    Args:
        before: settings that the run was begun with.
        after: settings of the same class, of the command that is to go on with it.
        titles: what fields are called for people; others are named as command-line options.
    """
    found = []
    for field in fields(before):
        old = getattr(before, field.name)
        new = getattr(after, field.name)
        if old != new:
            title = titles.get(field.name, f"--{field.name.replace('_', '-')}")
            found.append(f"{title} was {_shown(old)} and is {_shown(new)}")
    return found


def refuse_other_settings(folder: Path, found: list[str]) -> None:
    """Refuse to go on with a run that has other settings.

    Args:
        folder: of the run.
        found: what :func:`differences` found.

    Raises:
        OutputExistsError: there is a difference.
    """
    if found:
        raise OutputExistsError(
            f"{folder} holds a run with other settings: {'; '.join(found)}. Pass the same ones to "
            "go on with it, or choose another folder."
        )


def refuse_other_files(folder: Path, record: str) -> None:
    """Refuse a folder that holds something else than a run; hidden files do not count.

    Args:
        folder: of the output; it need not exist.
        record: name of the file that every run has, the first visible one that it writes.

    Raises:
        OutputExistsError: the folder holds files, and no record.
    """
    # What a killed run left behind is hidden. The record is looked for last: another process may
    # begin a run meanwhile.
    has_files = folder.is_dir() and any(folder.glob("[!.]*"))
    if has_files and not (folder / record).exists():
        raise OutputExistsError(
            f"{folder} exists and is not a run of trm-edge solve, so nothing is written there. "
            "Choose another folder."
        )


def _shown(value: object) -> str:
    if value is None or value == ():
        return "not set"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, bool):
        return "on" if value else "off"
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{text[:_SHOWN_LENGTH]}…" if len(text) == _SHA256_LENGTH else text
