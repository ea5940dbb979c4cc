"""Packages of the ``bench`` extra, checked before a benchmark starts."""

from __future__ import annotations

import sys
from importlib.util import find_spec

# Import names and what installs them; torch, onnx and the rest come with the extra, too.
PACKAGES = {
    "torch": "torch",
    "onnx": "onnx",
    "modelopt": "nvidia-modelopt",
    "matplotlib": "matplotlib",
    "numba": "numba",
    "onnxscript": "onnxscript",
}


def require_bench_extra(*modules: str) -> None:
    """Exit with a message that names the extra if a package is not installed.

    Call this before importing what needs the packages.

    Args:
        modules: import names to check, keys of :data:`PACKAGES`.

    Raises:
        SystemExit: a package is missing; its message says how to install it.
    """
    missing = [PACKAGES[name] for name in modules if find_spec(name) is None]
    if missing:
        sys.exit(
            f"{sys.argv[0]} needs {', '.join(missing)}, which is not installed. "
            "Install the bench extra from a checkout with: pip install -e '.[bench]'"
        )
