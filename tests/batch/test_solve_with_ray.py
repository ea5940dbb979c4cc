"""``trm-edge solve --ray``: what is refused before Ray is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.batch.runs import puzzle_texts, write_input
from tests.cli.commands import failed, run
from trm_edge.batch import ray_extra
from trm_edge.errors import MissingExtraError


@pytest.fixture
def arguments(old_bundles: Path, tmp_path: Path) -> list[object]:
    source = write_input(tmp_path / "in.parquet", puzzle_texts(4))
    return ["solve", old_bundles / "toy-fp32", source]


@pytest.mark.parametrize("options", [["--workers", 2], ["--metrics-port", 8080]])
def test_options_of_ray_need_ray(
    arguments: list[object], tmp_path: Path, options: list[object]
) -> None:
    result = run(*arguments, "-o", tmp_path / "out.parquet", *options)
    failed(result, f"{options[0]} belongs to a run with Ray: add --ray", code=2)
    assert not (tmp_path / "out.parquet").exists()


def test_ray_needs_an_output_as_parquet(arguments: list[object]) -> None:
    failed(run(*arguments, "--ray", "auto"), "--ray belongs to answers as Parquet", code=2)


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ray_extra.PACKAGES, "no_such_package", "ray")
    with pytest.raises(MissingExtraError, match=r"trm-edge\[ray\]"):
        ray_extra.require_ray_extra()
