"""The limit on CPU threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trm_edge import threads
from trm_edge.errors import ConfigError
from trm_edge.threads import available_cores, largest_thread_count, thread_count


def test_zero_is_a_thread_for_each_core() -> None:
    assert available_cores() >= 1
    assert thread_count(0) == available_cores()


def test_one_command_fits_small_and_large_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "available_cores", lambda: 2)
    assert largest_thread_count() == 64
    monkeypatch.setattr(threads, "available_cores", lambda: 192)
    assert largest_thread_count() == 768
    assert thread_count(768) == 768


def test_whole_numbers_of_other_libraries() -> None:
    count: Any = np.int64(3)
    assert type(thread_count(count)) is int


@pytest.mark.parametrize("value", [-1, 65, 100_000, 10**30, 1.5, "2", True, None])
def test_what_is_no_number_of_threads(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "available_cores", lambda: 2)
    with pytest.raises(ConfigError, match=r"from 0 to 64, but got .* may use 2 CPU cores"):
        thread_count(value)
