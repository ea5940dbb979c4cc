"""Two processes do not write to the same run."""

from __future__ import annotations

from pathlib import Path

import pytest

from trm_edge.errors import OutputError
from trm_edge.run_lock import only_process_in


def test_a_second_user_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    # A descriptor of its own has a lock of its own, even within a process.
    with (
        only_process_in(tmp_path),
        pytest.raises(OutputError, match="another process is at work in"),
        only_process_in(tmp_path),
    ):
        pass
    with only_process_in(tmp_path):
        pass
