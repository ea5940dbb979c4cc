from __future__ import annotations

from pathlib import Path

import pytest

from trm_edge.errors import ConfigError
from trm_edge.regression.budgets import Budgets


def test_budgets_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Budgets.read(None) == Budgets()
    Path("trm-edge.toml").write_text("[regress]\nlatency = 12.5\nmax_drop = 1\n")
    assert Budgets.read(None) == Budgets(latency=12.5, max_drop=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[regress]\nlatncy = 1", "has latncy, but knows only max_drop, halting_agreement"),
        ("[regress]\nlatency = -1", r"regress.latency must lie in 0\.\.1000, but got -1"),
        ("[regress]\nhalting_agreement = 90", r"halting_agreement must lie in 0\.\.1, but got 90"),
        ("[regress]\nsize = 'small'", "regress.size must be a number, but got 'small'"),
        ("[regress]\npinned = 1", "regress.pinned must be true or false, but got 1"),
        ("[regress]\nlatency = true", "regress.latency must be a number, but got True"),
        ("regress = 1", "knows only"),
        ("[", "is no TOML"),
    ],
)
def test_budgets_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        Budgets.read(path)


def test_no_budgets_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read budgets from"):
        Budgets.read(tmp_path / "absent.toml")
