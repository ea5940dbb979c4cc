from __future__ import annotations

import os
from pathlib import Path

import pytest

from trm_edge.evaluation.energy import find_meter, watts

LINES = {  # by device, as its JetPack prints it
    "Orin": "RAM 2448/7620MB (lfb 8x4MB) CPU [2%@729,off] EMC_FREQ 0% cpu@48.3C "
    "VDD_IN 4902mW/4880mW VDD_CPU_GPU_CV 560mW/560mW VDD_SOC 1440mW/1440mW",
    "Nano": "RAM 1000/3956MB CPU [5%@102] PLL@32C POM_5V_IN 1910/1880 POM_5V_GPU 40/40",
}


def test_the_power_of_the_board_is_parsed() -> None:
    assert watts(LINES["Orin"]) == 4.902
    assert watts(LINES["Nano"]) == 1.91
    assert watts("RAM 1/2MB") is None


def test_energy_of_a_piece_of_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for tegrastats prints two watts and waits to be terminated."""
    printed = tmp_path / "printed"
    os.mkfifo(printed)
    program = tmp_path / "tegrastats"
    program.write_text(f"#!/bin/sh\necho 'VDD_IN 2000mW/2000mW'\necho > {printed}\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    meter = find_meter()
    assert meter is not None
    assert meter.source == "tegrastats"
    clock = iter([10.0, 13.0])
    monkeypatch.setattr("trm_edge.evaluation.energy.time.perf_counter", lambda: next(clock))
    meter.start()
    printed.read_text()  # returns when the first line is printed
    assert meter.stop() == pytest.approx(6.0)


def test_a_long_piece_of_work_is_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More lines than a pipe holds: first of two watts, then as many of four."""
    printed = tmp_path / "printed"
    os.mkfifo(printed)
    line = "VDD_IN {}mW/{}mW " + 240 * "x"
    for milliwatts in (2000, 4000):
        lines = f"{line.format(milliwatts, milliwatts)}\n" * 400
        (tmp_path / f"lines{milliwatts}").write_text(lines)
    program = tmp_path / "tegrastats"
    program.write_text(
        f"#!/bin/sh\ncat {tmp_path}/lines2000 {tmp_path}/lines4000\n"
        f"echo > {printed}\nexec sleep 60\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    meter = find_meter()
    assert meter is not None
    clock = iter([10.0, 13.0])
    monkeypatch.setattr("trm_edge.evaluation.energy.time.perf_counter", lambda: next(clock))
    meter.start()
    printed.read_text()
    assert meter.stop() == pytest.approx(9.0)


def test_a_meter_that_was_not_started_reads_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "tegrastats"
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    meter = find_meter()
    assert meter is not None
    assert meter.stop() is None


def test_a_machine_without_a_meter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("trm_edge.evaluation.energy.ctypes.CDLL", _missing)
    assert find_meter() is None


def _missing(name: str) -> None:
    raise OSError(name)
