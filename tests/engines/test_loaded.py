"""Loading an engine: what is refused, and the runtime cache."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.backends.fake_device import CONFIG, FakeDevice, write_graph
from trm_edge.engines.loaded import LoadedEngine
from trm_edge.errors import BackendError


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_graph(tmp_path_factory.mktemp("graph"))


def test_a_damaged_engine_is_refused(tmp_path: Path, graph: Path) -> None:
    device = FakeDevice(tmp_path, graph, damaged=True)
    with pytest.raises(BackendError, match=r"cannot load .*trm-edge build"):
        device.solve()
    assert not device.cuda.leaks()


def test_an_engine_of_another_contract_is_refused(tmp_path: Path, graph: Path) -> None:
    device = FakeDevice(tmp_path, graph, carry="float16")
    with pytest.raises(BackendError, match=r"breaks the step contract in its inputs: .*float16"):
        device.solve()


def test_an_engine_has_inputs_for_noise_or_none_as_the_manifest_says(
    tmp_path: Path, graph: Path
) -> None:
    device = FakeDevice(tmp_path, graph)
    device.noise = True
    with pytest.raises(BackendError, match=r"in its inputs: expected .*noise_sigma \(B\) float32"):
        device.solve()
    noisy = FakeDevice(tmp_path, write_graph(tmp_path, noise=True), noise=True)
    assert {spec.name for spec in noisy.load().inputs} >= {"noise_window", "noise_sigma"}


def test_slots_and_scratch_are_those_of_the_engine(tmp_path: Path, graph: Path) -> None:
    engine = FakeDevice(tmp_path, graph, slots=(2, 6)).load()
    assert engine.slots == (2, 6)
    assert engine.scratch == 640


def test_the_runtime_cache_is_written_and_read(tmp_path: Path, graph: Path) -> None:
    device = FakeDevice(tmp_path, graph, version="1.7.1rtx")
    device.solve()
    assert device.cache.read_bytes() == b"kernels"
    device.cache.write_bytes(b"of an earlier run")
    device.solve()
    assert bytes(device.trt.cache.serialize()) == b"of an earlier run"


@pytest.mark.parametrize(("needs_gpu", "is_written"), [(True, False), (False, True)])
def test_only_tensorrt_rtx_has_a_runtime_cache(
    needs_gpu: bool, is_written: bool, tmp_path: Path, graph: Path
) -> None:
    device = FakeDevice(tmp_path, graph, version="1.7.1rtx")
    compiler: Any = SimpleNamespace(
        trt=device.trt, logger=None, log=SimpleNamespace(errors=[]), needs_gpu=needs_gpu
    )
    LoadedEngine.open(device.engine, CONFIG, "float32", compiler).close()
    assert device.cache.exists() == is_written
