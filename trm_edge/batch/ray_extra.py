"""The packages of the extra ``ray``."""

from __future__ import annotations

from importlib.util import find_spec

from trm_edge.errors import MissingExtraError

# What `ray[data]` needs, and for its metrics `ray[default]`; by module, the name to install.
PACKAGES = {
    "ray": "ray",
    "pandas": "pandas",
    "pyarrow": "pyarrow",
    "opentelemetry": "ray[default]",
}


def require_ray_extra() -> None:
    """Check that Ray Data is installed, before a module that imports it is.

    Raises:
        MissingExtraError: a package is not; names the extra that installs it.
    """
    for module, package in PACKAGES.items():
        if find_spec(module) is None:
            raise MissingExtraError(package, "ray", "trm-edge solve --ray")
