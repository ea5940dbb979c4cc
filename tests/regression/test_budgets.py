from __future__ import annotations

from pathlib import Path

import pytest

from trm_edge.errors import ConfigError
from trm_edge.regression.budgets import Budgets


def test_budgets_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Budgets.read(None) == Budgets()
    Path("trm-edge.toml").write_text("[regress]\nlatency = 12.5\nmax_drop = 1\npinned = true\n")
    assert Budgets.read(None) == Budgets(latency=12.5, max_drop=1, pinned=True)
    Path("trm-edge.toml").write_text("")
    assert Budgets.read(None) == Budgets()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[regress]\nlatncy = 1", "unknown latncy in regress; the keys are max_drop, halting_agr"),
        ("[regres]\nlatency = 1", "unknown regres; the keys are regress"),
        ("max_drop = 0.5", r"unknown max_drop; .* a key stands below one"),
        ("[regress]\nlatency = -1", r"regress.latency must lie in 0\.\.1000, but got -1"),
        ("[regress]\nlatency = nan", r"regress.latency must lie in 0\.\.1000, but got nan"),
        ("[regress]\nhalting_agreement = 90", r"halting_agreement must lie in 0\.\.1, but got 90"),
        ("[regress]\nsize = 'small'", "expected float, got str in regress.size"),
        ("[regress]\npinned = 1", "expected bool, got int in regress.pinned"),
        ("[regress]\nlatency = true", "expected float, got bool in regress.latency"),
        ("regress = 1", "expected object, got int in regress"),
        ("[", "is not valid TOML"),
    ],
)
def test_wrong_budgets_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        Budgets.read(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*absent\.toml: No such file"):
        Budgets.read(tmp_path / "absent.toml")
