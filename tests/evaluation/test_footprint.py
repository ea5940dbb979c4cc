from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from trm_edge.errors import BackendError
from trm_edge.evaluation.footprint import footprint, peak


def test_a_cold_process_solves_a_puzzle(toy_bundle: Path) -> None:
    measured = footprint(toy_bundle, "cpu", times=1)
    assert measured.seconds.shape == measured.cpu.shape == measured.cpu_alone.shape == (1,)
    assert measured.peak > 10e6
    assert measured.peak_alone > 10e6
    assert peak() > 10e6


def test_a_failed_process_passes_on_its_error(tmp_path: Path) -> None:
    with pytest.raises(
        BackendError, match=r"(?s)a process that solves one puzzle failed: .*BundleError"
    ):
        footprint(tmp_path, "cpu", times=1)


def test_a_process_that_only_imports_is_not_said_to_solve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trm_edge.evaluation.footprint._IMPORTS_ONLY", "import nothing_of_the_kind")
    with pytest.raises(BackendError, match=r"a process that only imports .* failed: .*Traceback"):
        footprint(tmp_path, "cpu", times=1)


def test_importing_needs_no_posix_module() -> None:
    """Windows has no `resource`; commands that do not measure must work there."""
    script = (
        "import sys; sys.modules['resource'] = None\n"
        "import trm_edge.evaluation.bench, trm_edge.cli.parity"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
