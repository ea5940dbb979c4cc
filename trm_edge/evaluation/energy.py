"""Energy in joules, where the device reports it: NVML on GPUs, ``tegrastats`` on a Jetson.

Both are read around a piece of work. NVML has a counter in millijoules since Volta
(``nvmlDeviceGetTotalEnergyConsumption``). tegrastats prints the board's power in milliwatts; its
mean during the work times the duration is the energy. Neither has been read on a device yet.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

# The board's input: VDD_IN on Orin and Thor, POM_5V_IN on the generations before.
_POWER = re.compile(r"\b(?:VDD_IN|POM_5V_IN|VIN_SYS_5V0|VIN) (\d+)(?:mW)?/")
_INTERVAL_MS = 50  # between two lines of tegrastats
_SECONDS_TO_END = 10  # of tegrastats, once it is asked to


@dataclass
class Meter:
    """An energy meter: joules used between ``start`` and ``stop``.

    Args:
        source: name of the data source, for people.
        start: begins a measurement.
        stop: ends it and returns joules; None where nothing was read.
    """

    source: str
    start: Callable[[], None]
    stop: Callable[[], float | None]


def find_meter() -> Meter | None:
    """Find the energy meter of this machine: tegrastats, else NVML.

    Returns:
        The meter; None where the machine has neither.
    """
    if shutil.which("tegrastats"):
        tegrastats = _Tegrastats()
        return Meter("tegrastats", tegrastats.start, tegrastats.stop)
    read_millijoules = _nvml_counter()
    if read_millijoules is None:
        return None
    counter = _Counter(read_millijoules)
    return Meter("NVML", counter.start, counter.stop)


def watts(line: str) -> float | None:
    """Parse the board's input power from a line of tegrastats.

    Args:
        line: one line of output.

    Returns:
        Watts; None where the line has no input power.

    >>> watts("RAM 2448/7620MB CPU [2%@729] VDD_IN 4902mW/4902mW VDD_CPU_GPU_CV 560mW/560mW")
    4.902
    """
    match = _POWER.search(line)
    return None if match is None else int(match[1]) / 1e3


class _Counter:
    """Energy from a counter that only rises, in millijoules."""

    def __init__(self, millijoules: Callable[[], int]) -> None:
        self._millijoules = millijoules
        self._at_start = 0

    def start(self) -> None:
        """Begin a measurement."""
        self._at_start = self._millijoules()

    def stop(self) -> float | None:
        """End the measurement and return joules."""
        return (self._millijoules() - self._at_start) / 1e3


class _Tegrastats:
    """Energy from the mean power that tegrastats prints."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._output: IO[str] | None = None
        self._start_time = 0.0

    def start(self) -> None:
        """Begin a measurement."""
        command = ["tegrastats", "--interval", str(_INTERVAL_MS)]
        # A file takes any number of lines; a pipe that is read at the end would stall it when full.
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115 - stop() closes it
        self._process = subprocess.Popen(command, stdout=self._output, text=True)
        self._start_time = time.perf_counter()

    def stop(self) -> float | None:
        """End the measurement and return joules; None where nothing was read."""
        process = self._process
        output = self._output
        if process is None or output is None:
            return None
        seconds = time.perf_counter() - self._start_time
        self._process = None
        self._output = None
        with output:
            _end(process)
            output.seek(0)
            readings = []
            for line in output:
                power = watts(line)
                if power is not None:
                    readings.append(power)
        if not readings:
            return None
        return seconds * sum(readings) / len(readings)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _nvml_counter() -> Callable[[], int] | None:
    """A function that reads the first GPU's energy in millijoules; None where NVML has none."""
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    handle = ctypes.c_void_p()
    energy = ctypes.c_ulonglong()
    if nvml.nvmlInit_v2() or nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle)):
        return None
    if nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(energy)):
        return None  # GPUs before Volta have no counter

    def read() -> int:
        nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(energy))
        return energy.value

    return read
