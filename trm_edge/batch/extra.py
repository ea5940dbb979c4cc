"""The package of the extra ``parquet``."""

from __future__ import annotations

from importlib.util import find_spec

from trm_edge.errors import MissingExtraError


def require_parquet_extra() -> None:
    """Check that pyarrow is installed, before a module that imports it is.

    Raises:
        MissingExtraError: it is not; names the extra that installs it.
    """
    if find_spec("pyarrow") is None:
        raise MissingExtraError("pyarrow", "parquet", "trm-edge solve -o NAME.parquet")
