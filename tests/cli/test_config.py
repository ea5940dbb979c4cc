"""`trm-edge config` as a user calls it."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.cli.commands import failed, run


def test_prints_a_template() -> None:
    result = run("config")
    assert result.exit_code == 0, result.output
    assert yaml.safe_load(result.stdout)["arch"]["num_heads"] == "???"


def test_writes_a_published_model_s_settings(tmp_path: Path) -> None:
    path = tmp_path / "run" / "all_config.yaml"
    result = run("config", "--arch", "maze", "-o", path)
    assert result.exit_code == 0, result.output
    assert yaml.safe_load(path.read_text())["arch"]["seq_len"] == 900
    failed(run("config", "-o", path), "exists. Choose another file, or pass --force")
    assert run("config", "-o", path, "--force").exit_code == 0


def test_an_unknown_model_is_misuse() -> None:
    failed(run("config", "--arch", "arc-3"), "'arc-3'", code=2)
