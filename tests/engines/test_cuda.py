"""CUDA's errors, and the calls on a fake runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.backends.fake_device import FakeDevice, write_graph
from tests.engines.fake_cuda import FakeCuda
from trm_edge.engines.cuda import Cuda
from trm_edge.errors import BackendError


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_graph(tmp_path_factory.mktemp("graph"))


@pytest.mark.parametrize(
    ("call", "code", "advice"),
    [
        ("cudaMalloc", 2, r"allocate .* MB for tokens: out of memory \(2\).*smaller --batch"),
        ("cudaStreamSynchronize", 700, r"illegal memory access \(700\).*restart the process"),
        ("cudaSetDevice", 35, r"\(35\).*update the driver"),
        ("cudaSetDevice", 100, r"\(100\).*--target cpu"),
        ("cudaGraphLaunch", 1, r"launch a CUDA graph.*trm-edge doctor"),
    ],
)
def test_an_error_says_what_to_do(
    call: str, code: int, advice: str, tmp_path: Path, graph: Path
) -> None:
    device = FakeDevice(tmp_path, graph)
    device.cuda.failing[call] = code
    with pytest.raises(BackendError, match=advice):
        device.solve()


def test_a_failed_capture_ends_and_raises_the_first_error() -> None:
    runtime = FakeCuda()
    cuda = Cuda(runtime)
    stream = cuda.stream()

    def fail() -> None:
        raise BackendError("the first error")

    with pytest.raises(BackendError, match="the first error"):
        cuda.capture(stream, fail)
    assert stream.captured is None


def test_a_copy_there_and_back() -> None:
    runtime = FakeCuda()
    cuda = Cuda(runtime)
    stream = cuda.stream()
    source = cuda.pinned((2, 3), np.float32)
    source[:] = 1.5
    target = cuda.pinned((2, 3), np.float32)
    address = cuda.malloc(source.nbytes, "a test")
    cuda.upload(address, source, stream)
    cuda.download(target, address, stream)
    assert not np.array_equal(target, source)  # nothing happens before it is waited for
    cuda.wait(stream)
    np.testing.assert_array_equal(target, source)
    cuda.free(address)
    cuda.unpin(source)
    cuda.unpin(target)
    cuda.drop_stream(stream)
    assert not runtime.leaks()
