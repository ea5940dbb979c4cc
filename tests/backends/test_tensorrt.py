"""The engine's loop without a GPU: on a CUDA runtime and an engine that enforce the rules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.backends.fake_device import (
    CONFIG,
    PUZZLES,
    TABLE,
    FakeDevice,
    Solutions,
    expected_solutions,
    write_graph,
)
from tests.backends.perturbed import perturbed
from tests.toys import FAMILY, toy_tokens
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.backends.tensorrt import TensorRTBackend
from trm_edge.backends.tensorrt_buffers import StepBuffers
from trm_edge.backends.tensorrt_launcher import StepLauncher
from trm_edge.engines.cuda import Cuda
from trm_edge.engines.loaded import LoadedEngine
from trm_edge.errors import BackendError
from trm_edge.loop.solver import Solver


def test_puzzles_halt_at_different_steps(expected: Solutions) -> None:
    """Otherwise the tests below would not see a slot change its puzzle."""
    assert len({solution.steps for solution in expected.values()}) > 1


@pytest.mark.parametrize("version", ["10.3.0", "11.4.1", "1.7.1rtx"])
@pytest.mark.parametrize("batch", [1, 3, 8])
def test_solves_as_onnx_runtime_does(
    batch: int, version: str, tmp_path: Path, device_graph: Path, expected: Solutions
) -> None:
    FakeDevice(tmp_path, device_graph, version=version).check(expected, batch)


@pytest.mark.parametrize("name", ["hrm", "trm-singlez", "trm-hier6", "transformer"])
def test_any_number_of_carries_stays_on_the_device(name: str, tmp_path: Path) -> None:
    """One carry, two or seven: every one of them changes buffers after each step."""
    config = FAMILY[name]
    graph = write_graph(tmp_path, config)
    device = FakeDevice(tmp_path, graph, config)
    device.check(expected_solutions(graph, config), 3)


def test_two_slot_groups_share_the_engine_and_nothing_else(
    tmp_path: Path, device_graph: Path, expected: Solutions
) -> None:
    device = FakeDevice(tmp_path, device_graph, overlap_slots=4)
    device.check(expected)
    assert len(device.trt.scratch_users) == 2


def test_slot_groups_are_made_once_and_end_with_the_backend(
    tmp_path: Path, device_graph: Path
) -> None:
    device = FakeDevice(tmp_path, device_graph, overlap_slots=4)
    with device.backend as backend:
        first, second = backend.slot_groups(4)
        assert backend.slot_groups(8) == (first, second)
        assert backend.slot_groups(3) == (backend,)
        second.start(2)
    assert not device.cuda.leaks()
    with pytest.raises(BackendError, match="not active"):
        second.start(2)


def test_most_steps_are_one_launch_and_little_is_copied(device: FakeDevice) -> None:
    with device.backend as backend:
        backend.start(4)
        tokens = toy_tokens(CONFIG, 4)
        embedding = np.zeros((4, CONFIG.puzzle_emb_ndim), np.float32)
        backend.step(tokens, embedding, np.ones(4, bool))
        backend.step(tokens, embedding, np.zeros(4, bool))
        uploads = device.cuda.uploads
        launches = device.cuda.launches
        for _ in range(10):
            backend.step(tokens, embedding, np.zeros(4, bool))
        assert device.cuda.launches - launches == 10
        assert device.cuda.uploads == uploads


def test_a_second_run_reuses_the_buffers_and_graphs_of_the_first(
    device: FakeDevice, expected: Solutions
) -> None:
    def memory() -> list[str]:
        return [leak for leak in device.cuda.leaks() if not leak.startswith("handle")]

    with Solver(device.backend, TABLE, batch=8) as solver:
        list(solver.solve(PUZZLES))
        before = memory()
        next(iter(solver.solve(PUZZLES)))  # abandoned at its first answer
        for puzzles in (PUZZLES, PUZZLES[:3], PUZZLES[:1]):
            for solution in solver.solve(puzzles):
                assert solution.steps == expected[solution.index].steps
                np.testing.assert_array_equal(solution.answer, expected[solution.index].answer)
        assert memory() == before
        launcher = device.backend._launcher
        assert launcher is not None
        assert launcher.captured_slots <= {8, 4, 2, 1}
    assert not device.cuda.leaks()


class Interrupts:
    """Raises KeyboardInterrupt before one of the calls of CUDA, as Ctrl-C does.

    Args:
        patch: replaces the calls.
        call: number of the call, from 0.
    """

    def __init__(self, patch: pytest.MonkeyPatch, call: int) -> None:
        self._remaining = call
        for name in CUDA_CALLS:
            patch.setattr(Cuda, name, self._counted(getattr(Cuda, name)))

    @property
    def is_over(self) -> bool:
        """Whether it came."""
        return self._remaining < 0

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            self._remaining -= 1
            if self._remaining == -1:
                raise KeyboardInterrupt
            return call(*arguments)

        return counted


CUDA_CALLS = ("upload", "download", "move", "record", "wait_for", "wait", "capture", "launch")


@pytest.mark.parametrize("call", [*range(0, 36, 3), 40, 55, 70])
def test_a_run_that_is_interrupted_leaves_the_solver_usable(
    call: int, device: FakeDevice, expected: Solutions, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Solver(device.backend, TABLE, batch=3) as solver:
        with monkeypatch.context() as patch:
            interrupts = Interrupts(patch, call)
            with pytest.raises(KeyboardInterrupt):
                list(solver.solve(PUZZLES))
            assert interrupts.is_over
        for solution in solver.solve(PUZZLES):
            assert solution.steps == expected[solution.index].steps
            np.testing.assert_array_equal(solution.answer, expected[solution.index].answer)
    assert not device.cuda.leaks()


def test_an_interrupt_before_the_first_step_of_a_context_is_not_its_first_step(
    device: FakeDevice, expected: Solutions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: LoadedEngine, context: Any, stream: Any) -> None:
        raise KeyboardInterrupt

    with Solver(device.backend, TABLE, batch=1) as solver:
        with monkeypatch.context() as patch:
            patch.setattr(LoadedEngine, "enqueue", interrupted)
            with pytest.raises(KeyboardInterrupt):
                solver.solve_one(PUZZLES[0])
        assert solver.solve_one(PUZZLES[0]).steps == expected[0].steps


def test_a_stream_that_is_left_open_does_not_disturb_the_next(
    device: FakeDevice, expected: Solutions
) -> None:
    with Solver(device.backend, TABLE, batch=3) as solver:
        left_open = solver.solve(PUZZLES)
        next(left_open)
        for solution in solver.solve(PUZZLES):
            np.testing.assert_array_equal(solution.answer, expected[solution.index].answer)
        with pytest.raises(BackendError, match="cannot go on"):
            next(left_open)
    assert not device.cuda.leaks()


def test_remaining_slots_continue_with_their_carries(
    device: FakeDevice, device_graph: Path
) -> None:
    assert TABLE is not None
    tokens = toy_tokens(CONFIG, 8)
    embedding = TABLE[np.arange(8) % 3]
    remaining = np.array([7, 2, 5])
    results = []
    for backend in (device.backend, OnnxRuntimeBackend(device_graph, CONFIG, threads=1)):
        with backend:
            backend.start(8)
            backend.step(tokens, embedding, np.ones(8, bool))
            backend.compact(remaining)
            halting = backend.step(tokens[remaining], embedding[remaining], np.zeros(3, bool))
            logits = backend.logits(np.array([2, 0]))
            results.append((*backend.carry(), logits, halting.q_halt))
    for actual, reference in zip(*results, strict=True):
        np.testing.assert_allclose(actual, reference, atol=1e-4)


def test_an_engine_for_more_slots_runs_with_few(
    tmp_path: Path, device_graph: Path, expected: Solutions
) -> None:
    FakeDevice(tmp_path, device_graph, slots=(4, 8)).check(expected, 2)


# Each of the following breaks one rule; the fakes must notice.


def aliased(device: FakeDevice, patch: pytest.MonkeyPatch) -> None:
    original = StepBuffers.addresses

    def addresses(self: StepBuffers, front: int) -> dict[str, int]:
        correct = original(self, front)
        return {**correct, "z_H_next": correct["z_H"]}

    patch.setattr(StepBuffers, "addresses", addresses)


def unsynchronized(device: FakeDevice, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Cuda, "wait_for", lambda self, event: None)


def logits_not_waited_for(device: FakeDevice, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Cuda, "wait", lambda self, stream: None)


def address_changed(device: FakeDevice, patch: pytest.MonkeyPatch) -> None:
    original = StepLauncher.launch

    def launch(self: StepLauncher) -> None:
        if self._graphs:
            addresses = self._buffers._device
            self._cuda.free(addresses["logits"])
            addresses["logits"] = self._cuda.malloc(10_000, "another place")
        original(self)

    patch.setattr(StepLauncher, "launch", launch)


def leak_of_memory(device: FakeDevice, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Cuda, "free", lambda self, address: None)


def leak_of_graphs(device: FakeDevice, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Cuda, "drop_graph", lambda self, graph: None)


def pageable(device: FakeDevice, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Cuda, "pinned", lambda self, shape, dtype: np.zeros(shape, dtype))
    patch.setattr(Cuda, "unpin", lambda self, array: None)


def same_set_of_carries(device: FakeDevice, patch: pytest.MonkeyPatch) -> None:
    original = StepLauncher.launch

    def launch(self: StepLauncher) -> None:
        self._buffers.front = 0
        original(self)

    patch.setattr(StepLauncher, "launch", launch)


def stale_tokens(device: FakeDevice, patch: pytest.MonkeyPatch) -> None:
    original = StepBuffers.stage

    def stage(self: StepBuffers, name: str, values: NDArray[Any]) -> None:
        original(self, name, values)
        launcher = device.backend._launcher
        if launcher is not None and launcher.captured_slots:
            self._stale.discard("tokens")

    patch.setattr(StepBuffers, "stage", stage)


def carries_left_behind(device: FakeDevice, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Cuda, "move", lambda self, target, source, size, stream: None)


@pytest.mark.parametrize(
    "break_a_rule",
    [
        aliased,
        unsynchronized,
        logits_not_waited_for,
        address_changed,
        leak_of_memory,
        leak_of_graphs,
        pageable,
        same_set_of_carries,
        stale_tokens,
        carries_left_behind,
    ],
)
def test_a_broken_rule_is_noticed(
    break_a_rule: Callable[[FakeDevice, pytest.MonkeyPatch], None],
    device: FakeDevice,
    expected: Solutions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    break_a_rule(device, monkeypatch)
    with pytest.raises(AssertionError):
        device.check(expected)


def test_slot_groups_that_share_scratch_memory_are_noticed(
    tmp_path: Path, device_graph: Path, expected: Solutions, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = FakeDevice(tmp_path, device_graph, overlap_slots=4)
    original = LoadedEngine.context
    addresses_of_scratch = []

    def context(self: LoadedEngine, slots: int, scratch: int, addresses: Any) -> Any:
        addresses_of_scratch.append(scratch)
        return original(self, slots, addresses_of_scratch[0], addresses)

    monkeypatch.setattr(LoadedEngine, "context", context)
    with pytest.raises(AssertionError, match="scratch is in use"):
        device.check(expected)


def test_too_many_slots_are_refused_with_the_command(device: FakeDevice) -> None:
    with pytest.raises(
        BackendError, match=r"at most 8 slots, but got 9.*build BUNDLE --target .* --batch 1 8 9"
    ):
        device.solve(batch=9)
    assert not device.cuda.leaks()


def test_running_out_of_memory_frees_what_was_allocated(device: FakeDevice) -> None:
    allocate = device.cuda.cudaMalloc
    calls = iter(range(100))

    def fail_after_four(size: int) -> tuple[int, int]:
        if next(calls) < 4:
            return allocate(size)
        return 2, 0

    device.cuda.cudaMalloc = fail_after_four  # type: ignore[method-assign]
    with device.backend as backend:
        with pytest.raises(BackendError, match="out of memory"):
            backend.start(8)
        assert not device.cuda.leaks()


def test_calls_out_of_order_are_refused(device: FakeDevice) -> None:
    with pytest.raises(BackendError, match="use it in a with statement"):
        device.backend.start(1)
    with device.backend as backend:
        with pytest.raises(BackendError, match=r"Call start\(\)"):
            backend.logits(np.array([0]))
        backend.start(2)
        with pytest.raises(BackendError, match=r"must have the 2 slots .* got 3\. Call start\(\)"):
            backend.step(toy_tokens(CONFIG, 3), None, np.ones(3, bool))


def test_a_backend_that_was_never_active_is_deactivated_without_effect() -> None:
    TensorRTBackend(lambda: pytest.fail("loaded"), CONFIG).deactivate()


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_starts_and_noise_reach_the_device(
    batch: int, device: FakeDevice, device_graph: Path
) -> None:
    puzzles = perturbed(PUZZLES, CONFIG)
    with Solver(OnnxRuntimeBackend(device_graph, CONFIG, threads=1), TABLE, batch=1) as solver:
        expected = list(solver.solve(puzzles, ordered=True))
    with Solver(device.backend, TABLE, batch=batch) as solver:
        actual = list(solver.solve(puzzles, ordered=True))
    for solution, reference in zip(actual, expected, strict=True):
        assert solution.steps == reference.steps
        np.testing.assert_allclose(solution.q_halt, reference.q_halt, atol=1e-4)
    assert not device.cuda.leaks()
