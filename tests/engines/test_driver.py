# ruff: noqa: N802 - the driver's own names
from __future__ import annotations

from typing import Any

import pytest

from trm_edge.engines.driver import Gpu, probe


class FakeDriver:
    """Returns values as ``libcuda`` does, through pointers."""

    def __init__(self, devices: list[tuple[str, int, int, int]], status: int = 0) -> None:
        self.devices = devices
        self.status = status

    def cuInit(self, flags: int) -> int:
        return self.status

    def cuDriverGetVersion(self, version: Any) -> int:
        version._obj.value = 12060
        return 0

    def cuDeviceGetCount(self, count: Any) -> int:
        count._obj.value = len(self.devices)
        return 0

    def cuDeviceGet(self, device: Any, index: int) -> int:
        device._obj.value = index + 100  # a handle is not an index
        return 0

    def cuDeviceGetName(self, name: Any, size: int, device: Any) -> int:
        name.value = self.devices[device.value - 100][0].encode()[: size - 1]
        return 0

    def cuDeviceGetAttribute(self, value: Any, attribute: int, device: Any) -> int:
        value._obj.value = self.devices[device.value - 100][{75: 1, 76: 2}[attribute]]
        return 0

    def cuDeviceTotalMem_v2(self, size: Any, device: Any) -> int:
        size._obj.value = self.devices[device.value - 100][3]
        return 0


def test_devices_are_described_through_their_handles() -> None:
    state = probe(FakeDriver([("Orin", 8, 7, 8 << 30), ("NVIDIA H200", 9, 0, 141 << 30)]))
    assert state.version == "12.6"
    assert state.problem == ""
    assert state.gpus == (Gpu("Orin", "8.7", 8 << 30), Gpu("NVIDIA H200", "9.0", 141 << 30))
    assert str(state) == "Orin (compute capability 8.7), NVIDIA H200 (compute capability 9.0)"


def test_a_driver_that_fails_and_one_without_gpus() -> None:
    assert "cuInit returned 100" in str(probe(FakeDriver([], status=100)))
    state = probe(FakeDriver([]))
    assert state.version == "12.6"
    assert str(state) == "none: the NVIDIA driver sees no GPU"


@pytest.mark.parametrize(
    ("status", "problem", "remedy"),
    [
        (35, "older than CUDA needs", "Update NVIDIA's driver"),
        (100, "there is no GPU", "--gpus all"),
        (803, "kernel module are of different versions", "Reboot"),
        (804, "forward compatibility", "cuda-compat"),
        (12345, "cuInit returned 12345", ""),
    ],
)
def test_a_driver_that_does_not_start_is_explained(status: int, problem: str, remedy: str) -> None:
    state = probe(FakeDriver([], status=status))
    assert f"cuInit returned {status}" in state.problem
    assert problem in state.problem
    assert remedy in state.remedy
    assert bool(state.remedy) == bool(remedy)


def test_a_missing_driver_is_not_an_error() -> None:
    assert probe().gpus or probe().problem
