"""The commented configuration: complete, readable by the importer, and open where it must be."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.toys import BASE, arch_settings, write_run
from trm_edge.cli.config import ARCHS
from trm_edge.errors import CheckpointError, ConfigError
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.export.checkpoint_config import UNKNOWN
from trm_edge.export.config_template import PRESETS, config_template


@pytest.mark.parametrize("arch", PRESETS)
def test_presets_leave_nothing_open(arch: str) -> None:
    text = config_template(arch)
    assert UNKNOWN not in text
    content = yaml.safe_load(text)
    assert content["ema"] is True
    assert content["arch"]["hidden_size"] == 512
    assert max(map(len, text.splitlines())) <= 104


def test_the_published_parameters() -> None:
    """arXiv 2510.04871 and its configuration files."""
    assert PRESETS["sudoku-mlp"]["mlp_t"] is True
    assert PRESETS["sudoku-mlp"]["L_cycles"] == 6
    assert PRESETS["maze"]["L_cycles"] == 4
    assert PRESETS["arc-1"]["vocab_size"] == 12


def test_the_command_knows_every_preset() -> None:
    assert tuple(PRESETS) == ARCHS
    with pytest.raises(ConfigError, match="there is no published model 'x'"):
        config_template("x")


def test_an_open_template_asks_for_everything_at_once(tmp_path: Path) -> None:
    path = write_run(tmp_path, BASE)
    (tmp_path / "dataset.json").unlink()
    (tmp_path / "all_config.yaml").write_text(config_template())
    with pytest.raises((CheckpointError, ConfigError)) as caught:
        load_checkpoint(path)
    for key in ("num_heads", "mlp_t", "puzzle_emb_len", "seq_len", "vocab_size"):
        assert key in str(caught.value)


def test_a_filled_in_template_is_enough(tmp_path: Path) -> None:
    path = write_run(tmp_path, BASE)
    (tmp_path / "dataset.json").unlink()
    values = {**arch_settings(BASE), "seq_len": BASE.seq_len, "vocab_size": BASE.vocab_size}
    lines = []
    for line in config_template().splitlines():
        key = line.strip().partition(":")[0]
        if key == "num_puzzle_identifiers":
            continue  # the weights show it
        if key in values and UNKNOWN in line:
            line = line.replace(UNKNOWN, str(values[key]).lower(), 1)
        lines.append(line)
    (tmp_path / "all_config.yaml").write_text("\n".join(lines))
    assert load_checkpoint(path).config == BASE
