"""The package of the extra ``parquet``."""

from __future__ import annotations

from trm_edge.requirements import require_extra


def require_parquet_extra() -> None:
    """Check that pyarrow is installed, before a module that imports it is.

    Raises:
        MissingExtraError: it is not; names the extra that installs it.
    """
    require_extra({"pyarrow": "pyarrow"}, "parquet", "trm-edge solve -o NAME.parquet")
