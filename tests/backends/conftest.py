"""The fake device and the answers to compare it with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backends.fake_device import FakeDevice, Solutions, expected_solutions, write_graph


@pytest.fixture(scope="session")
def device_graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The step graph that the fake device's engine computes."""
    return write_graph(tmp_path_factory.mktemp("graph"))


@pytest.fixture(scope="session")
def expected(device_graph: Path) -> Solutions:
    """ONNX Runtime's solutions of the fake device's puzzles."""
    return expected_solutions(device_graph)


@pytest.fixture
def device(tmp_path: Path, device_graph: Path) -> FakeDevice:
    """A device with a TensorRT engine."""
    return FakeDevice(tmp_path, device_graph)
