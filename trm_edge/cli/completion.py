"""Names for the completion of a shell: targets, tasks and bundles.

A shell asks at every Tab, so nothing here opens a bundle in full or imports a heavy library, and
whatever goes wrong means that there is nothing to offer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from trm_edge.bundle import MANIFEST
from trm_edge.errors import TrmEdgeError
from trm_edge.files import read_bytes

_LARGEST = 1 << 20  # bytes of a manifest that is read for its targets
_MOST = 200  # folders that are looked at


def complete_bundle(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the folders that hold a bundle; where there is none, leave folders to the shell.

    Args:
        context: of the command line so far.
        parameter: the argument.
        incomplete: what is typed of it.
    """
    bundles = []
    for folder in _folders(incomplete):
        if (folder / MANIFEST).is_file():
            bundles.append(CompletionItem(str(folder)))
    return bundles or [CompletionItem(incomplete, type="dir")]


def complete_bundle_target(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the targets of the bundles on the command line.

    Args:
        context: of the command line so far.
        parameter: the option.
        incomplete: what is typed of it.
    """
    paths = [context.params.get("bundle"), *(context.params.get("bundles") or ())]
    paths += context.args  # click leaves arguments here where the option has no value yet
    names: set[str] = set()
    for path in filter(None, paths):
        names |= _targets(Path(path))
    return matching(names, incomplete)


def complete_task(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the names of all tasks.

    Args:
        context: of the command line so far.
        parameter: the option.
        incomplete: what is typed of it.
    """
    from trm_edge.tasks import TASKS

    return matching(TASKS, incomplete)


def matching(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Offer the names that begin with what is typed.

    Args:
        names: in any order.
        incomplete: what is typed.
    """
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


def _folders(incomplete: str) -> list[Path]:
    """The folders whose path begins with what is typed."""
    typed = Path(incomplete)
    parent = typed
    start = ""
    if incomplete and not incomplete.endswith("/"):
        parent = typed.parent
        start = typed.name
    try:
        names = sorted(path.name for path in parent.iterdir() if path.name.startswith(start))
        return [parent / name for name in names[:_MOST] if (parent / name).is_dir()]
    except OSError:
        return []


def _targets(bundle: Path) -> set[str]:
    try:
        targets = json.loads(read_bytes(bundle / MANIFEST, _LARGEST))["targets"]
        return {name for name in targets if name.isprintable()}
    except (TrmEdgeError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return set()
