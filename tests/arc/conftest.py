"""Golden data of the published code, unpacked."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

DATA = Path(__file__).parents[1] / "data" / "arc"


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the published tasks, datasets and votes; do not change it."""
    folder = tmp_path_factory.mktemp("arc")
    for name in ("source", "dataset", "votes", "hrm_format_source", "hrm_format_dataset"):
        target = folder / "hrm" if name.startswith("hrm") else folder
        with tarfile.open(DATA / f"{name}.tar.gz") as archive:
            archive.extractall(target, filter="data")
    return folder
