"""The part of ROS 2 that the example node uses, as modules that refuse everything else.

Messages have the fields of their definitions and no others, and take keyword arguments as generated
messages do. A node counts what it created, and a publisher keeps what was published.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest


class Message:
    """A message: fields with defaults, and no others."""

    fields: ClassVar[dict[str, Callable[[], Any]]] = {}

    def __init__(self, **values: Any) -> None:
        for name, default in self.fields.items():
            object.__setattr__(self, name, default())
        for name, value in values.items():
            setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in self.fields, f"{type(self).__name__} has no field {name}"
        expected = type(getattr(self, name))
        assert isinstance(value, expected), f"{name} must be {expected}, but got {value!r}"
        object.__setattr__(self, name, value)


def _message(kind: str, /, **fields: Callable[[], Any]) -> type[Message]:
    return type(kind, (Message,), {"fields": fields})


Time = _message("Time", sec=int, nanosec=int)
Header = _message("Header", stamp=Time, frame_id=str)
Position = _message("Point", x=float, y=float, z=float)
Orientation = _message("Quaternion", x=float, y=float, z=float, w=lambda: 1.0)
Pose = _message("Pose", position=Position, orientation=Orientation)
PoseStamped = _message("PoseStamped", header=Header, pose=Pose)
Path = _message("Path", header=Header, poses=list)
MapMetaData = _message("MapMetaData", resolution=float, width=int, height=int, origin=Pose)
OccupancyGrid = _message("OccupancyGrid", header=Header, info=MapMetaData, data=list)
KeyValue = _message("KeyValue", key=str, value=str)
DiagnosticStatus = _message(
    "DiagnosticStatus", level=bytes, name=str, message=str, hardware_id=str, values=list
)
for _number, _level in enumerate(("OK", "WARN", "ERROR", "STALE")):
    setattr(DiagnosticStatus, _level, bytes([_number]))
DiagnosticArray = _message("DiagnosticArray", header=Header, status=list)


class QoSProfile:
    """A quality of service; rclpy asks for a depth or a history."""

    def __init__(self, *, depth: int, durability: str) -> None:
        self.depth = depth
        self.durability = durability


class Publisher:
    """Keeps what is published, and refuses other types."""

    def __init__(self, message: type[Message]) -> None:
        self._message = message
        self.published: list[Any] = []

    def publish(self, message: Message) -> None:
        """Publish a message."""
        assert type(message) is self._message
        self.published.append(message)


class Node:
    """A node; tests deliver messages and let the timer fire."""

    parameters: ClassVar[dict[str, Any]] = {}  # of the command line

    def __init__(self, node_name: str) -> None:
        self.node_name = node_name
        self.publishers_: dict[str, Publisher] = {}
        self.callbacks: dict[str, Callable[[Any], None]] = {}
        self.timers_: list[tuple[float, Callable[[], None]]] = []
        self.is_destroyed = False

    def declare_parameter(self, name: str, value: Any) -> Any:
        """Declare a parameter; its value is that of the command line, of the default's type."""
        chosen = self.parameters.get(name, value)
        assert type(chosen) is type(value), name
        return SimpleNamespace(value=chosen)

    def create_subscription(
        self, msg_type: type[Message], topic: str, callback: Callable[[Any], None], qos: Any
    ) -> None:
        """Subscribe."""
        assert isinstance(qos, int | QoSProfile)
        self.callbacks[topic] = callback

    def create_publisher(self, msg_type: type[Message], topic: str, qos: int) -> Publisher:
        """Publish."""
        self.publishers_[topic] = Publisher(msg_type)
        return self.publishers_[topic]

    def create_timer(self, timer_period_sec: float, callback: Callable[[], None]) -> None:
        """Call again and again."""
        self.timers_.append((timer_period_sec, callback))

    def get_clock(self) -> Any:
        """Return a clock."""
        return SimpleNamespace(now=lambda: SimpleNamespace(to_msg=lambda: Time(sec=7)))

    def destroy_node(self) -> None:
        """Destroy."""
        assert not self.is_destroyed
        self.is_destroyed = True


def install(patch: pytest.MonkeyPatch) -> list[str]:
    """Put the modules where ``import`` finds them.

    Args:
        patch: takes them away again.

    Returns:
        The calls of rclpy itself, in order, as they come.
    """
    calls: list[str] = []

    def spin(node: Node) -> None:
        calls.append("spin")
        raise KeyboardInterrupt

    modules: dict[str, dict[str, Any]] = {
        "rclpy": {
            "init": lambda *, args=None: calls.append("init"),
            "spin": spin,
            "try_shutdown": lambda: calls.append("shutdown"),
        },
        "rclpy.node": {"Node": Node},
        "rclpy.qos": {
            "QoSProfile": QoSProfile,
            "DurabilityPolicy": SimpleNamespace(TRANSIENT_LOCAL="transient local"),
        },
        "nav_msgs": {},
        "nav_msgs.msg": {"OccupancyGrid": OccupancyGrid, "Path": Path},
        "geometry_msgs": {},
        "geometry_msgs.msg": {"PoseStamped": PoseStamped},
        "diagnostic_msgs": {},
        "diagnostic_msgs.msg": {
            "DiagnosticArray": DiagnosticArray,
            "DiagnosticStatus": DiagnosticStatus,
            "KeyValue": KeyValue,
        },
    }
    for name, contents in modules.items():
        module = ModuleType(name)
        vars(module).update(contents)
        patch.setitem(sys.modules, name, module)
    return calls
