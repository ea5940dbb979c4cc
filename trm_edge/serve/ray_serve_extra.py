"""The packages of the extra ``ray-serve``."""

from __future__ import annotations

from trm_edge.requirements import require_extra

# What `ray[serve]` needs beside Ray itself, as far as importing it goes; by module.
PACKAGES = {
    "ray": "ray[serve]",
    "fastapi": "ray[serve]",
    "grpc_reflection": "ray[serve]",
    "watchfiles": "ray[serve]",
}


def require_ray_serve_extra() -> None:
    """Check that Ray Serve is installed, before a module that imports it is.

    Raises:
        MissingExtraError: a package is not; names the extra that installs it.
    """
    require_extra(PACKAGES, "ray-serve", "trm-edge serve --ray")
