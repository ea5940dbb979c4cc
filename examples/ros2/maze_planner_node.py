"""A ROS 2 node that plans paths with a maze model; MazePlanner has its logic.

python3 maze_planner_node.py --ros-args -p bundle:=../../my-bundle -p deadline:=0.08
"""

from __future__ import annotations

import time
from math import atan2
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import PoseStamped
from maze_planner import GridMap, MazePlanner, Plan, PlanError
from nav_msgs.msg import OccupancyGrid, Path
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

import trm_edge
from trm_edge.tasks.maze import MazeTask

_LEVELS = {
    "path": DiagnosticStatus.OK,
    "unsure": DiagnosticStatus.WARN,
    "timed out": DiagnosticStatus.WARN,
    "wrong": DiagnosticStatus.WARN,
}


class MazePlannerNode(Node):  # type: ignore[misc]
    """Plans from the last pose to the last goal, at a fixed rate.

    Subscribes to ``map``, ``pose`` and ``goal_pose``; publishes ``path``, where there is one to be
    relied on, and ``/diagnostics`` after every plan.
    """

    def __init__(self) -> None:
        super().__init__("maze_planner")
        folder = self.declare_parameter("bundle", "").value
        deadline = self.declare_parameter("deadline", 0.08).value  # seconds
        min_confidence = self.declare_parameter("min_confidence", 0.5).value
        threads = self.declare_parameter("threads", 1).value
        rate = self.declare_parameter("rate", 10.0).value  # Hz
        bundle = trm_edge.load(folder)
        task = bundle.task()
        if not isinstance(task, MazeTask):
            raise trm_edge.errors.ConfigError(
                f"the bundle must be of the task maze, but is of the task {task.name}."
            )
        self._solver = bundle.solver(batch=1, threads=threads, deadline=deadline)
        self._solver.__enter__()  # loads the engine and runs it warm; destroy_node frees it
        self._planner = MazePlanner(self._solver, task, min_confidence=min_confidence)
        self._map: OccupancyGrid | None = None
        self._pose: PoseStamped | None = None
        self._goal: PoseStamped | None = None
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(OccupancyGrid, "map", self._on_map, latched)
        self.create_subscription(PoseStamped, "pose", self._on_pose, 1)
        self.create_subscription(PoseStamped, "goal_pose", self._on_goal, 1)
        self._paths = self.create_publisher(Path, "path", 1)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 1)
        self.create_timer(1 / rate, self._on_timer)

    def destroy_node(self) -> None:
        """Free the engine, then the node."""
        self._solver.__exit__(None, None, None)
        super().destroy_node()

    def _on_map(self, message: OccupancyGrid) -> None:
        self._map = message

    def _on_pose(self, message: PoseStamped) -> None:
        self._pose = message

    def _on_goal(self, message: PoseStamped) -> None:
        self._goal = message

    def _on_timer(self) -> None:
        if self._map is None or self._pose is None or self._goal is None:
            self._report(DiagnosticStatus.STALE, "waiting for map, pose and goal", {})
            return
        frame = self._map.header.frame_id
        for message in (self._pose, self._goal):
            if message.header.frame_id != frame:
                text = f"got a pose in {message.header.frame_id!r}, but the map is in {frame!r}"
                self._report(DiagnosticStatus.ERROR, text, {})
                return
        start = time.monotonic()
        try:
            plan = self._planner.plan(_grid(self._map), _point(self._pose), _point(self._goal))
        except PlanError as error:
            self._report(DiagnosticStatus.ERROR, str(error), {})
            return
        milliseconds = 1e3 * (time.monotonic() - start)
        if plan.status == "path":
            self._paths.publish(self._path(plan, frame))
        values = {
            "confidence": f"{plan.confidence:.3f}",
            "steps": str(plan.steps),
            "milliseconds": f"{milliseconds:.1f}",
        }
        self._report(_LEVELS[plan.status], f"{plan.status}: {plan.message}", values)

    def _path(self, plan: Plan, frame: str) -> Path:
        path = Path()
        path.header.stamp = self.get_clock().now().to_msg()
        path.header.frame_id = frame
        for x, y in plan.points:
            pose = PoseStamped()
            pose.header = path.header
            pose.pose.position.x = x
            pose.pose.position.y = y
            pose.pose.orientation.w = 1.0
            path.poses.append(pose)
        return path

    def _report(self, level: bytes, text: str, values: dict[str, str]) -> None:
        status = DiagnosticStatus(level=level, name="maze_planner", message=text)
        for key, value in values.items():
            status.values.append(KeyValue(key=key, value=value))
        array = DiagnosticArray()
        array.header.stamp = self.get_clock().now().to_msg()
        array.status.append(status)
        self._diagnostics.publish(array)


def _grid(message: OccupancyGrid) -> GridMap:
    origin = message.info.origin
    # The rotation is about the z axis alone.
    yaw = 2 * atan2(origin.orientation.z, origin.orientation.w)
    occupancy = np.asarray(message.data, np.int8)
    return GridMap(
        occupancy.reshape(message.info.height, message.info.width),
        message.info.resolution,
        (origin.position.x, origin.position.y),
        yaw,
    )


def _point(message: PoseStamped) -> tuple[float, float]:
    return message.pose.position.x, message.pose.position.y


def main(arguments: Any = None) -> None:
    """Run the node until it is shut down.

    Args:
        arguments: of the command line; by default those of the process.
    """
    rclpy.init(args=arguments)
    node = MazePlannerNode()
    try:
        rclpy.spin(node)
    except KeyboardInterrupt:
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
