"""Where modules are installed, and on which NVIDIA board."""

from __future__ import annotations

import platform
import sys
from contextlib import suppress
from pathlib import Path

_MODEL = Path("/proc/device-tree/model")  # the board's name, ends with a zero byte
_RELEASE = Path("/etc/nv_tegra_release")  # JetPack's version
_SYSTEM = Path("/usr/lib")  # of python3.X/dist-packages, where apt installs modules


def module_folders(name: str, search: list[str] | None = None) -> tuple[Path, ...]:
    """List the folders of ``sys.path`` that hold a module, the one that is imported first.

    Nothing is imported: TensorRT loads a gigabyte of libraries.

    Args:
        name: of the module.
        search: replaces ``sys.path`` in tests.
    """
    folders: list[Path] = []
    for entry in sys.path if search is None else search:
        folder = Path(entry or ".")
        if _holds(folder, name) and folder.resolve() not in [known.resolve() for known in folders]:
            folders.append(folder)
    return tuple(folders)


def system_folders(name: str, root: Path = _SYSTEM) -> tuple[Path, ...]:
    """List the folders of the system's Python packages that hold a module.

    A virtual environment sees them only if it was made with ``--system-site-packages``.

    Args:
        name: of the module.
        root: replaces ``/usr/lib`` in tests.
    """
    folders = sorted(root.glob("python3*/dist-packages"))
    return tuple(folder for folder in folders if _holds(folder, name))


def jetson_board(model: Path = _MODEL, release: Path = _RELEASE) -> str | None:
    """Return the name of the Jetson that this is, or None on any other machine.

    Args:
        model: replaces the file with the board's name in tests.
        release: replaces the file with JetPack's version in tests.
    """
    if platform.system() != "Linux" or platform.machine() != "aarch64":
        return None
    name = ""
    with suppress(OSError):
        name = model.read_text(encoding="utf-8", errors="replace").strip("\0 \n")
    if "Jetson" in name or "IGX" in name:
        return name
    if release.exists():
        return name or "NVIDIA Jetson"
    return None


def _holds(folder: Path, name: str) -> bool:
    is_package = (folder / name / "__init__.py").is_file()
    return is_package or (folder / f"{name}.py").is_file()
