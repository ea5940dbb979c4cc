"""The packages of the extra ``serve``."""

from __future__ import annotations

from trm_edge.requirements import require_extra

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
    require_extra(PACKAGES, "serve", "trm-edge serve")
