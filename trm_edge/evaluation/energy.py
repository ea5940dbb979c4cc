"""Joules, where the device tells: NVML on datacenter GPUs, ``tegrastats`` on a Jetson.

Both are read around a piece of work. NVML has a counter in millijoules since Volta
(``nvmlDeviceGetTotalEnergyConsumption``); tegrastats prints the board's power in milliwatts, of
which the mean over the work times its seconds is taken. Neither has been read on a device yet.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

# The board's input: VDD_IN on Orin and Thor, POM_5V_IN on the generations before.
_POWER = re.compile(r"\b(?:VDD_IN|POM_5V_IN|VIN_SYS_5V0|VIN) (\d+)(?:mW)?/")
_INTERVAL = 50  # ms between two lines of tegrastats


@dataclass
class Meter:
    """Joules of the work between ``start`` and ``stop``.

    Args:
        source: what is read, for people.
        start: begins; ``stop`` ends and returns joules, None where nothing was read.
    """

    source: str
    start: Callable[[], None]
    stop: Callable[[], float | None]


def find_meter() -> Meter | None:
    """What this machine can be measured by, None where by nothing."""
    if shutil.which("tegrastats"):
        reader = _Tegrastats()
        return Meter("tegrastats", reader.start, reader.stop)
    counter = _nvml_counter()
    if counter is None:
        return None
    reading = _Counter(counter)
    return Meter("NVML", reading.start, reading.stop)


def watts(line: str) -> float | None:
    """The board's input power in a line of tegrastats.

    >>> watts("RAM 2448/7620MB CPU [2%@729] VDD_IN 4902mW/4902mW VDD_CPU_GPU_CV 560mW/560mW")
    4.902
    """
    found = _POWER.search(line)
    return None if found is None else int(found[1]) / 1e3


@dataclass
class _Counter:
    millijoules: Callable[[], int]
    _began: int = 0

    def start(self) -> None:
        self._began = self.millijoules()

    def stop(self) -> float | None:
        return (self.millijoules() - self._began) / 1e3


@dataclass
class _Tegrastats:
    _process: subprocess.Popen[str] | None = None
    _began: float = field(default=0.0)

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["tegrastats", "--interval", str(_INTERVAL)], stdout=subprocess.PIPE, text=True
        )
        self._began = time.perf_counter()

    def stop(self) -> float | None:
        if self._process is None:
            return None
        seconds = time.perf_counter() - self._began
        self._process.terminate()
        lines, _ = self._process.communicate(timeout=10)
        self._process = None
        read = [power for power in map(watts, lines.splitlines()) if power is not None]
        return seconds * sum(read) / len(read) if read else None


def _nvml_counter() -> Callable[[], int] | None:
    """Reads the first GPU's energy in millijoules."""
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    handle, value = ctypes.c_void_p(), ctypes.c_ulonglong()
    if nvml.nvmlInit_v2() or nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle)):
        return None

    def read() -> int:
        nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(value))
        return value.value

    if nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(value)):
        return None  # not before Volta
    return read
