"""The packages of the extra ``serve``."""

from __future__ import annotations

from importlib.util import find_spec

from trm_edge.errors import MissingExtraError

PACKAGES = {
    "starlette": "starlette",
    "uvicorn": "uvicorn",
    "prometheus_client": "prometheus-client",
}


def require_serve_extra() -> None:
    """Check that what the server is made of is installed.

    Raises:
        MissingExtraError: a package is not; names the extra that installs it.
    """
    for module, package in PACKAGES.items():
        if find_spec(module) is None:
            raise MissingExtraError(package, "serve", "trm-edge serve")
