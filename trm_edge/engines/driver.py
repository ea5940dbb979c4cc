"""What the NVIDIA driver says, asked directly: with no driver TensorRT's objects crash."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR


@dataclass(frozen=True)
class Gpu:
    """One device."""

    name: str
    compute_capability: str  # like "8.7"
    memory: int  # bytes; on a Jetson shared with the CPU

    def __str__(self) -> str:
        return f"{self.name} (compute capability {self.compute_capability})"


@dataclass(frozen=True)
class DriverState:
    """The driver and its devices, or why there is none."""

    version: str = ""  # of CUDA that the driver supports, like "12.6"; empty without a driver
    gpus: tuple[Gpu, ...] = ()
    problem: str = ""  # empty where there is a GPU

    def __str__(self) -> str:
        return ", ".join(map(str, self.gpus)) or f"none: {self.problem}"


def probe(library: Any = None) -> DriverState:
    """Ask the driver (``libcuda.so.1``); never raises, never touches TensorRT.

    Args:
        library: stands for the loaded driver, in tests.
    """
    if library is None:
        try:
            library = ctypes.CDLL("libcuda.so.1")
        except OSError:
            return DriverState(problem="no NVIDIA driver (libcuda.so.1) on this machine")
    status = library.cuInit(0)
    if status:
        return DriverState(problem=f"the NVIDIA driver is there, but cuInit answers {status}")
    number, count = ctypes.c_int(), ctypes.c_int()
    library.cuDriverGetVersion(ctypes.byref(number))
    version = f"{number.value // 1000}.{number.value % 1000 // 10}"
    library.cuDeviceGetCount(ctypes.byref(count))
    if not count.value:
        return DriverState(version, problem="the NVIDIA driver sees no device")
    return DriverState(version, tuple(_gpu(library, index) for index in range(count.value)))


def _gpu(library: Any, index: int) -> Gpu:
    device = ctypes.c_int()
    name = ctypes.create_string_buffer(128)
    major, minor, memory = ctypes.c_int(), ctypes.c_int(), ctypes.c_size_t()
    library.cuDeviceGet(ctypes.byref(device), index)
    library.cuDeviceGetName(name, len(name), device)
    library.cuDeviceGetAttribute(ctypes.byref(major), _MAJOR, device)
    library.cuDeviceGetAttribute(ctypes.byref(minor), _MINOR, device)
    library.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    return Gpu(name.value.decode(), f"{major.value}.{minor.value}", memory.value)
