"""Progress passes items on unchanged, with or without bars."""

from __future__ import annotations

import pytest

from trm_edge.progress import Track, progress_bars, silent


def test_silent_passes_the_items_themselves() -> None:
    items = [1, 2, 3]
    assert silent(items, "working", 3) is items


def test_bars_pass_the_items_in_order_and_print_nothing_to_a_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress_bars() as track:
        progress: Track = track
        assert list(progress([1, 2, 3], "working")) == [1, 2, 3]
        assert list(progress(iter("ab"), description="working", total=2)) == ["a", "b"]
    assert capsys.readouterr().out == ""
