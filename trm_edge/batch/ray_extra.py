"""The packages of the extra ``ray``."""

from __future__ import annotations

from trm_edge.requirements import require_extra

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
    require_extra(PACKAGES, "ray", "trm-edge solve --ray")
