"""Noise that a step adds by itself: the same answers, and no carry leaves the device."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.backends.fake_device import CONFIG, PUZZLES, TABLE, FakeDevice, write_graph
from tests.backends.perturbed import perturbed
from tests.toys import FAMILY, toy_model, toy_tokens
from trm_edge.backends.base import Backend
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.backends.onnxruntime_cuda import OnnxRuntimeCudaBackend
from trm_edge.backends.staged_noise import StagedNoise
from trm_edge.backends.tensorrt_buffers import StepBuffers
from trm_edge.config import ModelConfig
from trm_edge.errors import BackendError
from trm_edge.export.step_graph import step_graph
from trm_edge.loop.solution import Solution
from trm_edge.loop.solver import Solver
from trm_edge.noise import WINDOWS, Noise, noise_key
from trm_edge.puzzle import Puzzle

CONFIGS = {"trm": CONFIG, "hrm": FAMILY["hrm"], "trm-singlez": FAMILY["trm-singlez"]}
STATE_BYTES = CONFIG.carry_len * CONFIG.hidden_size * 4


@pytest.fixture(scope="module")
def noisy_graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_graph(tmp_path_factory.mktemp("noisy"), noise=True)


@pytest.fixture
def noisy_device(tmp_path: Path, noisy_graph: Path) -> FakeDevice:
    return FakeDevice(tmp_path, noisy_graph, noise=True)


def noisy(puzzles: Sequence[Puzzle], states: tuple[str, ...] = ("z_H",)) -> list[Puzzle]:
    """Give every puzzle noise, and none a start."""
    changed = []
    for number, puzzle in enumerate(puzzles):
        key = noise_key(puzzle.tokens, puzzle.identifier, number)
        changed.append(replace(puzzle, noise=Noise(0.3, key, states)))
    return changed


def solved(backend: Backend, puzzles: Sequence[Puzzle], batch: int) -> list[Solution]:
    with Solver(backend, TABLE, batch=batch) as solver:
        return list(solver.solve(puzzles, ordered=True))


def solved_on_cpu(
    folder: Path, puzzles: Sequence[Puzzle], config: ModelConfig = CONFIG
) -> list[Solution]:
    """Solve them with the graph that has no input for noise; the driver writes the carry."""
    return solved(OnnxRuntimeBackend(write_graph(folder, config), config, threads=1), puzzles, 1)


def require_equal(actual: Sequence[Solution], expected: Sequence[Solution]) -> None:
    for solution, reference in zip(actual, expected, strict=True):
        assert solution.steps == reference.steps
        np.testing.assert_array_equal(solution.answer, reference.answer)
        np.testing.assert_allclose(solution.q_halt, reference.q_halt, atol=1e-4)


@pytest.mark.parametrize("name", CONFIGS)
def test_an_engine_adds_the_noise_of_the_driver(name: str, tmp_path: Path) -> None:
    config = CONFIGS[name]
    puzzles = perturbed(PUZZLES, config)
    expected = solved_on_cpu(tmp_path, puzzles, config)
    without_noise = solved_on_cpu(tmp_path, PUZZLES[:2], config)
    assert abs(expected[1].q_halt[0] - without_noise[1].q_halt[0]) > 1e-3
    graph = write_graph(tmp_path, config, noise=True)
    device = FakeDevice(tmp_path, graph, config, noise=True)
    for batch in (1, 3, 8):
        require_equal(solved(device.backend, puzzles, batch), expected)
    assert not device.cuda.leaks()


def test_two_slot_groups_have_noise_of_their_own(tmp_path: Path, noisy_graph: Path) -> None:
    puzzles = perturbed(PUZZLES, CONFIG)
    device = FakeDevice(tmp_path, noisy_graph, noise=True, overlap_slots=4)
    require_equal(solved(device.backend, puzzles, 8), solved_on_cpu(tmp_path, puzzles))
    assert len(device.trt.scratch_users) == 2
    assert not device.cuda.leaks()


def test_a_step_with_noise_is_one_launch_and_8_bytes_a_slot(noisy_device: FakeDevice) -> None:
    cuda = noisy_device.cuda
    windows = np.arange(4)
    sigma = np.full(4, 0.3, np.float32)
    embedding = np.zeros((4, CONFIG.puzzle_emb_ndim), np.float32)
    tokens = toy_tokens(CONFIG, 4)
    with noisy_device.backend as backend:
        backend.start(4)
        for step in range(3):  # directly, then captured in either direction
            backend.add_noise(np.arange(4), {"z_H": windows + step}, sigma)
            backend.step(tokens, embedding, np.full(4, step == 0))
        backend.step(tokens, embedding, np.zeros(4, bool))
        for step in range(10):
            launches = cuda.launches
            cuda.uploaded.clear()
            cuda.downloaded.clear()
            sigma = sigma + np.float32(0.01)
            backend.add_noise(np.arange(4), {"z_H": windows + 10 + step}, sigma)
            backend.step(tokens, embedding, np.zeros(4, bool))
            assert cuda.launches - launches == 1
            assert cuda.uploaded == [16, 16]  # windows and sigma of 4 slots
            assert cuda.downloaded == [16, 16]  # the halting logits
        cuda.uploaded.clear()
        backend.step(tokens, embedding, np.zeros(4, bool))  # without noise again
        assert cuda.uploaded == [16, 16]
        cuda.uploaded.clear()
        backend.step(tokens, embedding, np.zeros(4, bool))
        assert not cuda.uploaded


def test_of_the_carry_only_given_starts_travel(noisy_device: FakeDevice) -> None:
    cuda = noisy_device.cuda
    solved(noisy_device.backend, noisy(PUZZLES), 8)
    copies = [*cuda.uploaded, *cuda.downloaded]
    assert not [size for size in copies if size % STATE_BYTES == 0]
    puzzles = perturbed(PUZZLES, CONFIG)
    solved(noisy_device.backend, puzzles, 8)
    starts = sum(puzzle.start is not None for puzzle in puzzles)
    assert cuda.uploaded.count(STATE_BYTES) == 2 * starts  # z_H and z_L, once a try
    assert not [size for size in cuda.downloaded if size % STATE_BYTES == 0]


def test_without_noise_an_engine_for_it_solves_as_one_without(
    noisy_device: FakeDevice, tmp_path: Path
) -> None:
    """The inputs begin as zeros: memory that nobody wrote may hold NaN."""
    require_equal(solved(noisy_device.backend, PUZZLES, 8), solved_on_cpu(tmp_path, PUZZLES))


@pytest.mark.parametrize("states", [("z_L",), ("z_H", "z_L")])
def test_noise_on_other_states_is_copied_with_a_warning(
    states: tuple[str, ...],
    noisy_device: FakeDevice,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    puzzles = noisy(PUZZLES[:6], states)
    with caplog.at_level(logging.WARNING):
        actual = solved(noisy_device.backend, puzzles, 3)
    require_equal(actual, solved_on_cpu(tmp_path, puzzles))
    (record,) = caplog.records
    assert record.message.endswith("It has an input for noise on z_H alone.")


def test_an_engine_without_the_inputs_warns_once_and_answers_the_same(
    tmp_path: Path, device_graph: Path, caplog: pytest.LogCaptureFixture
) -> None:
    device = FakeDevice(tmp_path, device_graph, overlap_slots=4)
    puzzles = noisy(PUZZLES)
    with caplog.at_level(logging.WARNING):
        actual = solved(device.backend, puzzles, 8)
        solved(device.backend, puzzles, 2)
    require_equal(actual, solved_on_cpu(tmp_path, puzzles))
    (record,) = caplog.records
    assert "step.engine has no input for this noise" in record.message
    command = f"--into {tmp_path.parent} --target {tmp_path.name} --noise --force"
    assert command in record.message
    assert not device.cuda.leaks()


@pytest.mark.parametrize("threads", [1, 2])
def test_onnx_runtime_feeds_a_graph_with_noise(
    threads: int, noisy_graph: Path, tmp_path: Path
) -> None:
    puzzles = perturbed(PUZZLES, CONFIG)
    expected = solved_on_cpu(tmp_path, puzzles)
    for batch in (1, 8):
        backend = OnnxRuntimeBackend(noisy_graph, CONFIG, threads=threads, noise=True)
        require_equal(solved(backend, puzzles, batch), expected)
    on_gpu = OnnxRuntimeCudaBackend(noisy_graph, CONFIG, device="cpu", noise=True)
    require_equal(solved(on_gpu, puzzles, 3), expected)


def test_onnx_runtime_on_a_gpu_warns_where_carries_are_copied(
    device_graph: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    puzzles = noisy(PUZZLES[:4])
    with caplog.at_level(logging.WARNING):
        actual = solved(OnnxRuntimeCudaBackend(device_graph, CONFIG, device="cpu"), puzzles, 2)
    require_equal(actual, solved_on_cpu(tmp_path, puzzles))
    assert [record.name for record in caplog.records] == ["trm_edge.backends.staged_noise"]


def test_half_precision_adds_nearly_the_noise_of_the_driver(tmp_path: Path) -> None:
    model = toy_model(CONFIG)
    carries = []
    for noise in (True, False):
        path = tmp_path / f"{noise}.onnx"
        onnx.save(step_graph(model, "float16", noise=noise), path)
        with OnnxRuntimeBackend(path, CONFIG, carry="float16", noise=noise) as backend:
            backend.start(2)
            embedding = np.zeros((2, CONFIG.puzzle_emb_ndim), np.float32)
            tokens = toy_tokens(CONFIG, 2)
            backend.step(tokens, embedding, np.ones(2, bool))
            sigma = np.array([0.5], np.float32)
            backend.add_noise(np.array([1]), {"z_H": np.array([WINDOWS - 1])}, sigma)
            backend.step(tokens, embedding, np.zeros(2, bool))
            carries.append(backend.carry())
    for actual, expected in zip(*carries, strict=True):
        np.testing.assert_allclose(actual, expected, atol=0.02)


def test_remaining_slots_keep_their_noise() -> None:
    staged = StagedNoise(4)
    staged.put(np.array([1, 3]), np.array([11, 13]), np.array([0.1, 0.3], np.float32))
    staged.keep(np.array([3, 0, 1]))
    window, sigma = staged.take()
    assert window.tolist() == [13, 0, 11]
    np.testing.assert_allclose(sigma, [0.3, 0, 0.1])
    assert [values.tolist() for values in staged.take()] == [[0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("window", [-1, WINDOWS])
def test_a_window_outside_of_the_table_is_refused(window: int) -> None:
    with pytest.raises(BackendError, match=rf"begin at 0 to {WINDOWS - 1}, but got {window}"):
        StagedNoise(2).put(np.array([0, 1]), np.array([5, window]), np.ones(2, np.float32))


def test_noise_that_is_not_uploaded_is_noticed(
    noisy_device: FakeDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = StepBuffers.upload

    def upload(self: StepBuffers) -> None:
        self._stale.discard("noise_window")
        original(self)

    puzzles = noisy(PUZZLES)
    expected = solved_on_cpu(tmp_path, puzzles)
    monkeypatch.setattr(StepBuffers, "upload", upload)
    with pytest.raises(AssertionError):
        require_equal(solved(noisy_device.backend, puzzles, 8), expected)
