"""The engine's loop without a GPU: on a CUDA runtime and an engine that enforce the rules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from tests.engines.fake_cuda import FakeCuda
from tests.engines.fake_runtime import fake_runtime
from tests.toys import VARIANTS, toy_model, toy_table, toy_tokens
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.backends.tensorrt import TensorRTBackend
from trm_edge.engines.cuda import Cuda
from trm_edge.engines.loaded import LoadedEngine
from trm_edge.errors import BackendError
from trm_edge.export.step_graph import step_graph
from trm_edge.loop.solution import Solution
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle

CONFIG = VARIANTS["q-continue"]  # its toy halts at different steps
TABLE = toy_table(CONFIG)
PUZZLES = [Puzzle(row, k % 3) for k, row in enumerate(toy_tokens(CONFIG, 23))]


class Setting:
    """One backend on fakes."""

    def __init__(self, folder: Path, graph: Path, **how: Any) -> None:
        self.cuda = FakeCuda()
        self.how = {"slots": (1, 8), **how}
        overlap_slots = self.how.pop("overlap_slots", 100)
        self.trt = fake_runtime(self.cuda, graph, CONFIG, **self.how)
        self.engine, self.cache = folder / "step.engine", folder / "runtime.cache"
        self.engine.write_bytes(b"engine")
        self.backend = TensorRTBackend(
            self.load, CONFIG, cuda=lambda: Cuda(self.cuda), overlap_slots=overlap_slots
        )

    def load(self) -> LoadedEngine:
        return LoadedEngine(self.engine, CONFIG, "float32", self.trt, None, list, self.cache)

    def solve(self, batch: int = 8) -> dict[int, Solution]:
        with Solver(self.backend, TABLE, batch=batch) as solver:
            return {solution.index: solution for solution in solver.solve(PUZZLES)}

    def check(self, expected: dict[int, Solution], batch: int = 8) -> None:
        """Solve, and compare with what ONNX Runtime answers."""
        found = self.solve(batch)
        assert found.keys() == expected.keys()
        for index, solution in expected.items():
            assert found[index].steps == solution.steps
            np.testing.assert_array_equal(found[index].answer, solution.answer)
            np.testing.assert_allclose(found[index].q_halt, solution.q_halt, atol=1e-4)
        assert not self.cuda.left()


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graph") / "step.onnx"
    onnx.save(step_graph(toy_model(CONFIG)), path)
    return path


@pytest.fixture(scope="module")
def expected(graph: Path) -> dict[int, Solution]:
    with Solver(OnnxRuntimeBackend(graph, CONFIG, threads=1), TABLE, batch=1) as solver:
        return {solution.index: solution for solution in solver.solve(PUZZLES)}


@pytest.fixture
def setting(tmp_path: Path, graph: Path) -> Setting:
    return Setting(tmp_path, graph)


def test_puzzles_halt_at_different_steps(expected: dict[int, Solution]) -> None:
    """Or nothing below would see a slot change hands."""
    assert len({solution.steps for solution in expected.values()}) > 1


@pytest.mark.parametrize("version", ["10.3.0", "11.4.1", "1.7.1rtx"])
@pytest.mark.parametrize("batch", [1, 3, 8])
def test_solves_as_onnx_runtime_does(
    batch: int, version: str, tmp_path: Path, graph: Path, expected: dict[int, Solution]
) -> None:
    Setting(tmp_path, graph, version=version).check(expected, batch)


def test_two_lanes_share_the_engine_and_nothing_else(
    tmp_path: Path, graph: Path, expected: dict[int, Solution]
) -> None:
    setting = Setting(tmp_path, graph, overlap_slots=4)
    setting.check(expected)
    assert len(setting.trt.scratch_users) == 2


def test_most_steps_are_one_launch_and_little_is_copied(setting: Setting) -> None:
    with setting.backend as backend:
        backend.start(4)
        tokens, rows = toy_tokens(CONFIG, 4), np.zeros((4, CONFIG.puzzle_emb_ndim), np.float32)
        backend.step(tokens, rows, np.ones(4, bool))
        backend.step(tokens, rows, np.zeros(4, bool))
        uploads, launches = setting.cuda.uploads, setting.cuda.launches
        for _ in range(10):
            backend.step(tokens, rows, np.zeros(4, bool))
        assert setting.cuda.launches - launches == 10
        assert setting.cuda.uploads == uploads


def test_a_second_run_takes_the_buffers_and_graphs_of_the_first(
    setting: Setting, expected: dict[int, Solution]
) -> None:
    with Solver(setting.backend, TABLE, batch=8) as solver:
        list(solver.solve(PUZZLES))
        before = setting.cuda.left()
        next(iter(solver.solve(PUZZLES)))  # given up at its first answer
        for puzzles in (PUZZLES, PUZZLES[:3], PUZZLES[:1]):
            for solution in solver.solve(puzzles):
                assert solution.steps == expected[solution.index].steps
                np.testing.assert_array_equal(solution.answer, expected[solution.index].answer)
        assert [one for one in setting.cuda.left() if not one.startswith("handle")] == [
            one for one in before if not one.startswith("handle")
        ]
        assert {slots for slots, _ in setting.backend._graphs} <= {8, 4, 2, 1}
    assert not setting.cuda.left()


def test_slots_that_are_kept_go_on_with_their_carry(setting: Setting, graph: Path) -> None:
    assert TABLE is not None
    tokens, rows = toy_tokens(CONFIG, 8), TABLE[np.arange(8) % 3]
    kept = np.array([7, 2, 5])
    for backend in (setting.backend, OnnxRuntimeBackend(graph, CONFIG, threads=1)):
        with backend:
            backend.start(8)
            backend.step(tokens, rows, np.ones(8, bool))
            backend.compact(kept)
            wait_step = backend.step(tokens[kept], rows[kept], np.zeros(3, bool))
            answers = (*backend.carry(), backend.logits(np.array([2, 0])), wait_step.q_halt)
            if backend is setting.backend:
                ours = [np.array(answer[-3:] if answer.ndim > 3 else answer) for answer in answers]
            else:
                for one, other in zip(ours, answers, strict=True):
                    np.testing.assert_allclose(one, other, atol=1e-4)


def test_an_engine_for_more_slots_runs_with_few(
    tmp_path: Path, graph: Path, expected: dict[int, Solution]
) -> None:
    Setting(tmp_path, graph, slots=(4, 8)).check(expected, 2)


def test_the_runtime_cache_is_kept(tmp_path: Path, graph: Path) -> None:
    setting = Setting(tmp_path, graph, version="1.7.1rtx")
    setting.solve()
    assert setting.cache.read_bytes() == b"kernels"
    setting.cache.write_bytes(b"of before")
    setting.solve()
    assert bytes(setting.trt.cache.serialize()) == b"of before"


# What follows breaks one rule each; the fakes have to notice.


def aliased(setting: Setting, patch: pytest.MonkeyPatch) -> None:
    right = TensorRTBackend._carries

    def carries(self: TensorRTBackend, front: int) -> dict[str, int]:
        found = right(self, front)
        return {**found, "z_H_next": found["z_H"]}

    patch.setattr(TensorRTBackend, "_carries", carries)


def unsynchronised(setting: Setting, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Cuda, "wait_for", lambda self, event: None)


def logits_unawaited(setting: Setting, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Cuda, "wait", lambda self, stream: None)


def address_changed(setting: Setting, patch: pytest.MonkeyPatch) -> None:
    right = TensorRTBackend._advance

    def advance(self: TensorRTBackend) -> None:
        if self._graphs:
            self._cuda.free(self._device["logits"])
            self._device["logits"] = self._cuda.malloc(10_000, "another place")
        right(self)

    patch.setattr(TensorRTBackend, "_advance", advance)


def leak_of_memory(setting: Setting, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Cuda, "free", lambda self, address: None)


def leak_of_graphs(setting: Setting, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Cuda, "drop_graph", lambda self, graph: None)


def pageable(setting: Setting, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Cuda, "pinned", lambda self, shape, dtype: np.zeros(shape, dtype))
    patch.setattr(Cuda, "unpin", lambda self, array: None)


def same_side(setting: Setting, patch: pytest.MonkeyPatch) -> None:
    right = TensorRTBackend._advance

    def advance(self: TensorRTBackend) -> None:
        self._front = 0
        right(self)

    patch.setattr(TensorRTBackend, "_advance", advance)


def stale_tokens(setting: Setting, patch: pytest.MonkeyPatch) -> None:
    right = TensorRTBackend._stage

    def stage(self: TensorRTBackend, name: str, values: NDArray[Any]) -> None:
        right(self, name, values)
        if self._graphs:
            self._stale.discard("tokens")

    patch.setattr(TensorRTBackend, "_stage", stage)


def carries_left_behind(setting: Setting, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Cuda, "move", lambda self, target, source, size, stream: None)


@pytest.mark.parametrize(
    "broken",
    [
        aliased,
        unsynchronised,
        logits_unawaited,
        address_changed,
        leak_of_memory,
        leak_of_graphs,
        pageable,
        same_side,
        stale_tokens,
        carries_left_behind,
    ],
)
def test_a_broken_rule_is_noticed(
    broken: Callable[[Setting, pytest.MonkeyPatch], None],
    setting: Setting,
    expected: dict[int, Solution],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken(setting, monkeypatch)
    with pytest.raises(AssertionError):
        setting.check(expected)


def test_lanes_that_share_scratch_are_noticed(
    tmp_path: Path, graph: Path, expected: dict[int, Solution], monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = Setting(tmp_path, graph, overlap_slots=4)
    right, first = LoadedEngine.context, []

    def context(self: LoadedEngine, slots: int, scratch: int, addresses: Any) -> Any:
        first.append(scratch)
        return right(self, slots, first[0], addresses)

    monkeypatch.setattr(LoadedEngine, "context", context)
    with pytest.raises(AssertionError, match="scratch is in use"):
        setting.check(expected)


def test_too_many_slots_are_refused_with_the_command(setting: Setting) -> None:
    with pytest.raises(BackendError, match=r"at most 8 slots, but 9.*build --batch 1 8 9"):
        setting.solve(batch=9)
    assert not setting.cuda.left()


def test_an_engine_that_does_not_load_is_refused(tmp_path: Path, graph: Path) -> None:
    setting = Setting(tmp_path, graph, damaged=True)
    with pytest.raises(BackendError, match=r"cannot load .*trm-edge build"):
        setting.solve()
    assert not setting.cuda.left()


def test_an_engine_of_another_contract_is_refused(tmp_path: Path, graph: Path) -> None:
    setting = Setting(tmp_path, graph, carry="float16")
    with pytest.raises(BackendError, match=r"breaks the step contract in its inputs: .*float16"):
        setting.solve()


@pytest.mark.parametrize(
    ("call", "code", "advice"),
    [
        ("cudaMalloc", 2, r"allocate .* MB for tokens: out of memory \(2\).*smaller --batch"),
        ("cudaStreamSynchronize", 700, r"illegal memory access \(700\).*start the process again"),
        ("cudaSetDevice", 35, r"\(35\).*update the driver"),
        ("cudaSetDevice", 100, r"\(100\).*--target cpu"),
        ("cudaGraphLaunch", 1, r"launch a CUDA graph.*trm-edge doctor"),
    ],
)
def test_errors_of_cuda_say_what_to_do(call: str, code: int, advice: str, setting: Setting) -> None:
    setting.cuda.failing[call] = code
    with pytest.raises(BackendError, match=advice):
        setting.solve()


def test_out_of_memory_half_way_gives_back_the_rest(setting: Setting) -> None:
    allocate, count = setting.cuda.cudaMalloc, iter(range(100))
    setting.cuda.cudaMalloc = (  # type: ignore[method-assign]
        lambda size: allocate(size) if next(count) < 4 else (2, 0)
    )
    with pytest.raises(BackendError, match="out of memory"):
        setting.solve()
    assert not setting.cuda.left()


def test_used_too_early() -> None:
    backend = TensorRTBackend(lambda: pytest.fail("not loaded"), CONFIG)
    with pytest.raises(BackendError, match="use the backend in a with statement"):
        backend.start(1)
