"""The packages that trm-edge and its extras need, looked up without importing any of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec

from trm_edge.errors import MissingExtraError

# The oldest versions that work, those of pyproject.toml.
_OLDEST = {
    "click": "8.1",
    "msgspec": "0.19",
    "numpy": "1.21.5",
    "onnxruntime": "1.20",
    "rich": "13",
}
if sys.version_info < (3, 11):
    _OLDEST["tomli"] = "2"
OLDEST: Mapping[str, str] = _OLDEST


def package_version(name: str) -> str | None:
    """Return the version of an installed distribution, or None where it is not installed.

    Args:
        name: as on the package index, such as ``nvidia-modelopt``.
    """
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def require_extra(packages: Mapping[str, str], extra: str, purpose: str) -> None:
    """Check that the packages of an extra are installed, before a module that imports them is.

    Args:
        packages: names to install, by the module that is imported.
        extra: that installs them.
        purpose: what needs them, to begin a sentence with.

    Raises:
        MissingExtraError: a package is not installed; names the extra.
    """
    for module, package in packages.items():
        if find_spec(module) is None:
            raise MissingExtraError(package, extra, purpose)


@dataclass(frozen=True)
class UnmetRequirement:
    """A package that trm-edge needs and that is missing or too old.

    Args:
        package: its name.
        oldest: oldest version that works.
        installed: the installed version; None where there is none.
    """

    package: str
    oldest: str
    installed: str | None

    @property
    def requirement(self) -> str:
        """What to install, as pip takes it."""
        return f"{self.package}>={self.oldest}"

    def __str__(self) -> str:
        if self.installed is None:
            return f"{self.package} is not installed; {self.oldest} or newer is needed"
        return f"{self.package} {self.installed} is too old; {self.oldest} or newer is needed"


def unmet_requirements(
    version: Callable[[str], str | None] = package_version,
) -> tuple[UnmetRequirement, ...]:
    """List the packages that are missing or too old.

    Args:
        version: looks up the version of a distribution; None where it is not installed.
    """
    unmet = []
    for package, oldest in OLDEST.items():
        installed = version(package)
        if installed is None and package == "onnxruntime" and find_spec(package) is not None:
            continue  # onnxruntime-gpu, or a build of the board's maker
        if installed is None or numbers(installed) < numbers(oldest):
            unmet.append(UnmetRequirement(package, oldest, installed))
    return tuple(unmet)


def numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version, to compare it.

    Args:
        version: such as ``"1.21.5"`` or ``"10.3.0.26+cuda"``.

    >>> numbers("1.21.5"), numbers("13.0.0rc1"), numbers("")
    ((1, 21, 5), (13, 0, 0), ())
    """
    parts = []
    for part in version.partition("+")[0].split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        parts.append(int(digits))
    return tuple(parts)
