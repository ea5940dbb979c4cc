"""The ROS 2 example: its logic without ROS, and its node on a part of ROS that refuses the rest."""

from __future__ import annotations

import csv
import importlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from math import pi
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.examples import fake_ros
from tests.examples.drivers import EXAMPLES, ROOT, maze_bundle
from trm_edge.backends.base import HaltingLogits
from trm_edge.backends.fake import FAKE_CONFIG, FakeBackend
from trm_edge.errors import ConfigError
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Tokens
from trm_edge.tasks.maze import MazeTask

CONFIG = replace(FAKE_CONFIG, seq_len=9, vocab_size=6)
TASK = MazeTask(CONFIG)
# Seen from above, row 0 of the grid is the lowest; here it is the first.
MAZE = "S.#..##.G"
ANSWER = "So#.o##oG"
DETOUR = "S.#oo##oG"  # also shortest
BROKEN = "S.#.o##.G"


def ids(maze: str) -> NDArray[np.int32]:
    return np.array(["?#.SGo".index(character) for character in maze], np.int32)


class AnsweringBackend(FakeBackend):
    """Answers the same to every maze, after two steps.

    Args:
        answer: characters of the answer.
        q_halt: of the second step and those after it.
    """

    def __init__(self, answer: str, q_halt: float = 3.0) -> None:
        super().__init__(CONFIG)
        self.answer = answer
        self.mazes: list[NDArray[np.int32]] = []
        self._q_halt = q_halt

    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        super().step(tokens, puzzle_embedding, reset)
        self.mazes.append(tokens[0].copy())
        q_halt = np.where(self._age >= 2, self._q_halt, -9).astype(np.float32)
        return HaltingLogits(q_halt, np.zeros_like(q_halt))

    def predictions(self, slots: NDArray[np.int64]) -> Tokens:
        return np.repeat(ids(self.answer)[None].astype(np.uint8), len(slots), 0)


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The folder of the example on the path, and its modules forgotten afterwards."""
    monkeypatch.syspath_prepend(EXAMPLES / "ros2")
    yield monkeypatch
    for name in ("maze_planner", "maze_planner_node"):
        sys.modules.pop(name, None)


@pytest.fixture
def logic(modules: pytest.MonkeyPatch) -> Any:
    """The module without ROS; an import of it would fail."""
    modules.setitem(sys.modules, "rclpy", None)
    return importlib.import_module("maze_planner")


def grid_map(logic: Any, maze: str = MAZE, **options: Any) -> Any:
    occupied = ids(maze).reshape(3, 3) == 1
    return logic.GridMap(np.where(occupied, 100, 0).astype(np.int8), 0.5, **options)


def plan(logic: Any, backend: FakeBackend, *, max_steps: int = 16, **options: Any) -> Any:
    rule = HaltingRule.from_config(CONFIG, max_steps=max_steps)
    with Solver(backend, halting=rule, batch=1) as solver:
        planner = logic.MazePlanner(solver, TASK, **options)
        return planner.plan(grid_map(logic), (0.1, 0.2), (1.3, 1.4))


@pytest.mark.parametrize("answer", [ANSWER, DETOUR])
def test_a_valid_answer_is_a_path_from_start_to_goal(logic: Any, answer: str) -> None:
    backend = AnsweringBackend(answer)
    result = plan(logic, backend)
    assert (result.status, result.steps) == ("path", 2)
    assert result.confidence > 0.9
    assert result.points[0] == (0.25, 0.25)
    assert result.points[-1] == (1.25, 1.25)
    assert len(result.points) == 5
    for first, second in zip(result.points, result.points[1:], strict=False):
        assert abs(first[0] - second[0]) + abs(first[1] - second[1]) == pytest.approx(0.5)
    np.testing.assert_array_equal(backend.mazes[-1], ids(MAZE))


def test_a_path_below_the_confidence_is_unsure(logic: Any) -> None:
    result = plan(logic, AnsweringBackend(ANSWER, q_halt=0.1), min_confidence=0.6)
    assert result.status == "unsure"
    assert len(result.points) == 5
    assert "0.52" in result.message


def test_an_answer_that_is_no_path_is_wrong(logic: Any) -> None:
    result = plan(logic, AnsweringBackend(BROKEN))
    assert (result.status, result.points) == ("wrong", ())
    assert "path from S ends" in result.message


def test_an_unfinished_answer_is_timed_out(logic: Any) -> None:
    backend = AnsweringBackend(BROKEN, q_halt=-9)
    with Solver(backend, batch=1) as solver:
        original = solver.solve_one
        solver.solve_one = lambda puzzle: original(puzzle, deadline=1e-9)  # type: ignore
        result = logic.MazePlanner(solver, TASK).plan(grid_map(logic), (0, 0), (1.3, 1.4))
    assert (result.status, result.steps) == ("timed out", 1)


@pytest.mark.parametrize(
    ("start", "goal", "message"),
    [
        ((-0.1, 0.2), (1.3, 1.4), r"the start \(-0.10, 0.20\) is outside of the map"),
        ((0.1, 0.2), (1.3, 1.6), r"the goal \(1.30, 1.60\) is outside of the map"),
        ((0.1, 0.2), (1.3, 0.4), r"the goal .* is in an occupied cell; .* 0.50 m"),
    ],
)
def test_places_that_cannot_be_used(logic: Any, start: Any, goal: Any, message: str) -> None:
    with Solver(AnsweringBackend(ANSWER), batch=1) as solver:
        planner = logic.MazePlanner(solver, TASK)
        with pytest.raises(logic.PlanError, match=message):
            planner.plan(grid_map(logic), start, goal)
        empty = logic.GridMap(np.zeros((0, 0), np.int8), 0.5)
        with pytest.raises(logic.PlanError, match="no cells"):
            planner.plan(empty, start, goal)


def test_start_and_goal_in_one_cell_need_no_model(logic: Any) -> None:
    backend = AnsweringBackend(BROKEN)
    with Solver(backend, batch=1) as solver:
        result = logic.MazePlanner(solver, TASK).plan(grid_map(logic), (0.1, 0.1), (0.4, 0.4))
    assert (result.status, result.points) == ("path", ((0.25, 0.25),))
    assert not backend.mazes


def test_a_large_map_becomes_coarser_and_unknown_cells_are_walls(logic: Any) -> None:
    occupancy = np.zeros((5, 6), np.int8)
    occupancy[0, 3] = 65
    occupancy[1, 4] = 64
    occupancy[2, 0] = -1
    coarse = logic.GridMap(occupancy, 0.1, (1.0, 2.0)).coarser(3, 65)
    np.testing.assert_array_equal(
        coarse.occupancy, [[0, 100, 0], [100, 0, 0], [100, 100, 100]]
    )  # the last row of blocks is half outside of the map
    assert coarse.resolution == pytest.approx(0.2)
    assert coarse.origin == (1.0, 2.0)


def test_a_small_map_is_surrounded_by_walls(logic: Any) -> None:
    backend = AnsweringBackend("SG#######")
    small = logic.GridMap(np.zeros((1, 2), np.int8), 1.0)
    with Solver(backend, batch=1) as solver:
        result = logic.MazePlanner(solver, TASK).plan(small, (0.5, 0.5), (1.5, 0.5))
    np.testing.assert_array_equal(backend.mazes[-1], ids("SG#######"))
    assert result.points == ((0.5, 0.5), (1.5, 0.5))


@pytest.mark.parametrize("yaw", [0.0, pi / 2, -2.0])
def test_cells_and_points_of_a_rotated_map(logic: Any, yaw: float) -> None:
    grid = grid_map(logic, origin=(3.0, -4.0), yaw=yaw)
    for cell in ((0, 0), (2, 1), (1, 2)):
        assert grid.cell_of(grid.centre_of(cell)) == cell
    if yaw == pi / 2:  # rows run along y, and further rows to smaller x
        assert grid.centre_of((0, 2)) == pytest.approx((2.75, -2.75))


# The node


@pytest.fixture
def node_module(modules: pytest.MonkeyPatch) -> Any:
    modules.setattr(fake_ros.Node, "parameters", {"bundle": "somewhere", "min_confidence": 0.6})
    calls = fake_ros.install(modules)
    module = importlib.import_module("maze_planner_node")
    module.calls = calls  # type: ignore[attr-defined]
    return module


class FakeBundle:
    """A bundle whose model always answers the same."""

    def __init__(self, backend: FakeBackend) -> None:
        self.backend = backend
        self.options: dict[str, Any] = {}

    def task(self) -> Any:
        return TASK

    def solver(self, **options: Any) -> Solver:
        self.options = options
        return Solver(self.backend, batch=options["batch"], deadline=options["deadline"])


def node_with(module: Any, patch: pytest.MonkeyPatch, backend: FakeBackend) -> Any:
    bundle = FakeBundle(backend)
    patch.setattr(module.trm_edge, "load", lambda folder: bundle)
    patch.setitem(fake_ros.Node.parameters, "deadline", 60.0)
    node = module.MazePlannerNode()
    assert bundle.options == {"batch": 1, "threads": 1, "deadline": 60.0}
    return node


def occupancy(maze: str = MAZE, side: int = 3) -> Any:
    info = fake_ros.MapMetaData(resolution=0.5, width=side, height=side)
    data = [100 * (character == "#") for character in maze]
    return fake_ros.OccupancyGrid(header=fake_ros.Header(frame_id="map"), info=info, data=data)


def pose(x: float, y: float, frame: str = "map") -> Any:
    position = fake_ros.Position(x=x, y=y)
    return fake_ros.PoseStamped(
        header=fake_ros.Header(frame_id=frame), pose=fake_ros.Pose(position=position)
    )


def tick(node: Any) -> Any:
    """Let the timer fire; return the diagnostic."""
    ((period, callback),) = node.timers_
    assert period == pytest.approx(0.1)
    callback()
    (status,) = node.publishers_["/diagnostics"].published[-1].status
    return status


def test_the_node_publishes_a_path(node_module: Any, modules: pytest.MonkeyPatch) -> None:
    node = node_with(node_module, modules, AnsweringBackend(ANSWER))
    assert tick(node).level == fake_ros.DiagnosticStatus.STALE  # type: ignore[attr-defined]
    node.callbacks["map"](occupancy())
    node.callbacks["pose"](pose(0.1, 0.1))
    node.callbacks["goal_pose"](pose(1.3, 1.3))
    status = tick(node)
    assert status.level == fake_ros.DiagnosticStatus.OK  # type: ignore[attr-defined]
    assert [value.key for value in status.values] == ["confidence", "steps", "milliseconds"]
    (path,) = node.publishers_["path"].published
    assert (path.header.frame_id, path.header.stamp.sec) == ("map", 7)
    assert [each.pose.position.x for each in path.poses] == [0.25, 0.75, 0.75, 0.75, 1.25]
    node.destroy_node()
    assert node.is_destroyed


@pytest.mark.parametrize(
    ("backend", "text"),
    [
        (AnsweringBackend(ANSWER, q_halt=0.1), "unsure: a valid path"),
        (AnsweringBackend(BROKEN), "wrong: the path from S ends"),
    ],
)
def test_the_node_publishes_no_path_that_it_is_unsure_of(
    backend: FakeBackend, text: str, node_module: Any, modules: pytest.MonkeyPatch
) -> None:
    node = node_with(node_module, modules, backend)
    node.callbacks["map"](occupancy())
    node.callbacks["pose"](pose(0.1, 0.1))
    node.callbacks["goal_pose"](pose(1.3, 1.3))
    status = tick(node)
    assert status.level == fake_ros.DiagnosticStatus.WARN  # type: ignore[attr-defined]
    assert status.message.startswith(text)
    assert not node.publishers_["path"].published
    node.destroy_node()


@pytest.mark.parametrize(
    ("goal", "text"),
    [
        (pose(1.3, 1.3, "odom"), "got a pose in 'odom', but the map is in 'map'"),
        (pose(9.0, 1.3), "the goal (9.00, 1.30) is outside"),
    ],
)
def test_the_node_reports_what_it_cannot_plan(
    goal: Any, text: str, node_module: Any, modules: pytest.MonkeyPatch
) -> None:
    node = node_with(node_module, modules, AnsweringBackend(ANSWER))
    node.callbacks["map"](occupancy())
    node.callbacks["pose"](pose(0.1, 0.1))
    node.callbacks["goal_pose"](goal)
    status = tick(node)
    assert status.level == fake_ros.DiagnosticStatus.ERROR  # type: ignore[attr-defined]
    assert status.message.startswith(text)
    node.destroy_node()


def test_the_node_runs_and_ends(node_module: Any, modules: pytest.MonkeyPatch) -> None:
    modules.setattr(
        node_module.trm_edge, "load", lambda folder: FakeBundle(AnsweringBackend(ANSWER))
    )
    modules.setitem(fake_ros.Node.parameters, "deadline", 60.0)
    node_module.main()
    assert node_module.calls == ["init", "spin", "shutdown"]


def test_the_node_refuses_another_task(node_module: Any, modules: pytest.MonkeyPatch) -> None:
    bundle = SimpleNamespace(task=lambda: SimpleNamespace(name="sudoku"))
    modules.setattr(node_module.trm_edge, "load", lambda folder: bundle)
    with pytest.raises(ConfigError, match="must be of the task maze, but is of the task sudoku"):
        node_module.MazePlannerNode()


def test_the_bundled_model_plans_the_bundled_mazes(
    node_module: Any, modules: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    bundle = maze_bundle(tmp_path_factory.mktemp("maze"))
    modules.setitem(fake_ros.Node.parameters, "bundle", str(bundle.path))
    modules.setitem(fake_ros.Node.parameters, "deadline", 60.0)
    node = node_module.MazePlannerNode()
    puzzles = ROOT / "trm_edge" / "reference" / "puzzles" / "maze_examples.csv"
    with puzzles.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))[:3]
    for row in rows:
        node.callbacks["map"](occupancy(row["puzzle"], 13))
        for topic, end in (("pose", "S"), ("goal_pose", "G")):
            y, x = divmod(row["puzzle"].index(end), 13)
            node.callbacks[topic](pose(0.5 * x + 0.25, 0.5 * y + 0.25))
        assert tick(node).level == fake_ros.DiagnosticStatus.OK  # type: ignore[attr-defined]
        path = node.publishers_["path"].published[-1]
        assert len(path.poses) == row["solution"].count("o") + 2
    node.destroy_node()
