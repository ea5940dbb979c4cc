"""NVIDIA's driver, asked directly: where there is no driver, TensorRT's own objects crash."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

_MAJOR = 75  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
_MINOR = 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR
_NAME_BYTES = 128
# What cuInit returns where the driver does not start (CUresult), and what to do.
_ERRORS = {
    2: ("there is not enough memory", "Close other programs and try again."),
    34: (
        "libcuda.so.1 is the stub of the CUDA toolkit",
        "Remove the toolkit's folder lib64/stubs from LD_LIBRARY_PATH.",
    ),
    35: ("the driver is older than CUDA needs", "Update NVIDIA's driver."),
    46: ("the GPU is in use by another process alone", "End that process; nvidia-smi lists it."),
    100: (
        "there is no GPU",
        "In a container, start it with --gpus all (on a Jetson: --runtime nvidia).",
    ),
    101: ("the GPU is not valid", "Check CUDA_VISIBLE_DEVICES."),
    304: (
        "the operating system refuses",
        "Check that this user may read and write /dev/nvidia* (on a Jetson: is in the groups "
        "video and render).",
    ),
    802: ("the system is not ready", "Start NVIDIA's services, such as nvidia-fabricmanager."),
    803: (
        "the driver's library and kernel module are of different versions",
        "Reboot: the driver was updated, and the old one is still loaded.",
    ),
    804: (
        "forward compatibility is not supported on this GPU",
        "Remove cuda-compat, or its folder from LD_LIBRARY_PATH, and update the driver.",
    ),
    999: ("the driver failed", "Reboot, or load its module: sudo modprobe nvidia_uvm."),
}


@dataclass(frozen=True)
class Gpu:
    """One GPU.

    Args:
        name: the driver's name for it.
        compute_capability: such as ``"8.7"``.
        memory: size in bytes; on a Jetson it is shared with the CPU.
    """

    name: str
    compute_capability: str
    memory: int

    def __str__(self) -> str:
        return f"{self.name} (compute capability {self.compute_capability})"


@dataclass(frozen=True)
class DriverState:
    """The driver and its GPUs, or the reason why there are none.

    Args:
        version: newest CUDA version that the driver supports, such as ``"12.6"``; empty without a
            driver.
        gpus: the GPUs in the driver's order.
        problem: why there is no GPU; empty where there is one.
        remedy: what to do about it, as a sentence; empty where that is not known.
    """

    version: str = ""
    gpus: tuple[Gpu, ...] = ()
    problem: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        return ", ".join(map(str, self.gpus)) or f"none: {self.problem}"


def probe(library: Any = None) -> DriverState:
    """Ask the driver (``libcuda.so.1``) for its GPUs; never raises and never touches TensorRT.

    Args:
        library: replaces the loaded driver in tests.

    Returns:
        The GPUs, or the reason why there are none.
    """
    if library is None:
        try:
            library = ctypes.CDLL("libcuda.so.1")
        except OSError:
            return DriverState(problem="no NVIDIA driver: libcuda.so.1 was not found")
    status = library.cuInit(0)
    if status:
        return _not_started(status)
    number = ctypes.c_int()
    library.cuDriverGetVersion(ctypes.byref(number))
    version = f"{number.value // 1000}.{number.value % 1000 // 10}"
    count = ctypes.c_int()
    library.cuDeviceGetCount(ctypes.byref(count))
    if not count.value:
        remedy = "Check CUDA_VISIBLE_DEVICES; nvidia-smi -L lists what there is."
        return DriverState(version, (), "the NVIDIA driver sees no GPU", remedy)
    gpus = tuple(_gpu(library, index) for index in range(count.value))
    return DriverState(version, gpus)


def _not_started(status: int) -> DriverState:
    meaning, remedy = _ERRORS.get(status, ("", ""))
    problem = f"the NVIDIA driver does not start: cuInit returned {status}"
    if meaning:
        problem = f"{problem}, {meaning}"
    return DriverState(problem=problem, remedy=remedy)


def _gpu(library: Any, index: int) -> Gpu:
    device = ctypes.c_int()
    name = ctypes.create_string_buffer(_NAME_BYTES)
    major = ctypes.c_int()
    minor = ctypes.c_int()
    memory = ctypes.c_size_t()
    library.cuDeviceGet(ctypes.byref(device), index)
    library.cuDeviceGetName(name, len(name), device)
    library.cuDeviceGetAttribute(ctypes.byref(major), _MAJOR, device)
    library.cuDeviceGetAttribute(ctypes.byref(minor), _MINOR, device)
    library.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    return Gpu(name.value.decode(), f"{major.value}.{minor.value}", memory.value)
