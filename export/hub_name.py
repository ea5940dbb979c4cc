"""Names of checkpoints on a hub: ``hf:OWNER/NAME[@REVISION][:FILE]``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from trm_edge.errors import CheckpointError
from trm_edge.printable import excerpt

PREFIX = "hf:"
FORM = "hf:OWNER/NAME[@REVISION][:FILE]"
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_NAME = re.compile(rf"hf:/{{0,2}}({_PART}/{_PART})(?:@([^:@\s]+))?(?::([^:]+))?")
_PAIR = re.compile(rf"{_PART}/{_PART}")
# An address of the site; a path has lost the second of its slashes.
_ADDRESS = re.compile(
    rf"https?:/+(?:www\.)?(?:huggingface\.co|hf\.co)/({_PART}/{_PART})"
    r"(?:/(?:blob|resolve|raw|tree)/([^/?#\s]+)(?:/([^?#\s]+))?)?/?(?:[?#].*)?"
)


@dataclass(frozen=True)
class HubName:
    """A checkpoint on a hub, as a user names it.

    Args:
        repository: OWNER/NAME.
        revision: a branch, tag or commit; None for the repository's main branch.
        file: a file or folder of the repository; None to choose as in a folder.
    """

    repository: str
    revision: str | None = None
    file: str | None = None

    @classmethod
    def parse(cls, text: str) -> HubName:
        """Read ``hf:OWNER/NAME[@REVISION][:FILE]``.

        Args:
            text: the name.

        Raises:
            CheckpointError: it has another form.

        >>> HubName.parse("hf:owner/name@main:runs/step_9")
        HubName(repository='owner/name', revision='main', file='runs/step_9')
        """
        match = _NAME.fullmatch(text)
        if match is None:
            raise CheckpointError(
                f"{excerpt(text)} is not a name on a hub. It has the form {FORM}, such as "
                "hf:owner/name@main:step_1000."
            )
        file = match[3]
        return cls(match[1], match[2], file.strip("/") if file else None)

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        file = f":{self.file}" if self.file else ""
        return f"{PREFIX}{self.repository}{revision}{file}"


def is_hub_name(path: Path) -> bool:
    """Tell a name on a hub from a path.

    Args:
        path: what a user passes as the checkpoint.
    """
    return path.as_posix().startswith(PREFIX) and not path.exists()


def suggestion(path: Path) -> str | None:
    """Write the name on a hub that a path which does not exist may have meant.

    Args:
        path: an address of huggingface.co, or OWNER/NAME.

    Returns:
        The name, or None where the path looks like neither.
    """
    text = path.as_posix()
    match = _ADDRESS.fullmatch(text)
    if match is not None:
        return str(HubName(match[1], match[2], match[3]))
    if _PAIR.fullmatch(text):
        return str(HubName(text))
    return None
