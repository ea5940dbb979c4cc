"""``manifest.json`` of a bundle: what is inside, what it was made from, what it promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from trm_edge import records
from trm_edge.config import ModelConfig
from trm_edge.errors import BundleError, ConfigError
from trm_edge.profile import TargetProfile
from trm_edge.step import CarryType

FORMAT = records.Format("trm-edge.bundle", 1)
KIND = records.RecordKind(FORMAT, "a trm-edge bundle", BundleError, "Export it again.")


@dataclass(frozen=True)
class FileRecord:
    """A file of the bundle as it was written."""

    sha256: str
    size: int  # bytes


@dataclass(frozen=True)
class FloatLayer:
    """A layer that was left in float, and why."""

    layer: str
    reason: str


@dataclass(frozen=True)
class SimulatedAccuracy:
    """What a graph answers when its quantization is computed in float32 on a CPU.

    Shares lie in 0..1, drops are in points of exact match against the float32 model.
    """

    puzzles: int
    exact_fixed: float
    exact_adaptive: float
    drop_fixed: float
    drop_adaptive: float
    drop_bound: float  # upper end of the 95 % interval, in the mode where it is higher
    halting_agreement: float
    carry_cosine_first: float  # after the first step
    carry_cosine_last: float


@dataclass(frozen=True)
class TargetRecord:
    """What was exported for one target."""

    precision: str
    carry: CarryType
    opset: int
    step: str  # path of the step graph
    float_layers: tuple[FloatLayer, ...] = ()
    simulated: SimulatedAccuracy | None = None  # None: on a CPU parity runs the graph itself
    profile: TargetProfile | None = None  # None: written before profiles were recorded


@dataclass(frozen=True)
class Limits:
    """How much accuracy the bundle may lose against float32; `trm-edge parity` holds it to them."""

    max_drop: float = 0.5  # points of exact match, in either halting mode
    min_halting_agreement: float = 0.9  # share of puzzles that stop at the same step

    def __post_init__(self) -> None:
        if not 0 <= self.max_drop <= 100:
            raise ConfigError(f"max_drop must lie in 0..100 points, but got {self.max_drop}.")
        if not 0 <= self.min_halting_agreement <= 1:
            raise ConfigError(
                f"min_halting_agreement must lie in 0..1, but got {self.min_halting_agreement}."
            )


@dataclass(frozen=True)
class CheckpointRecord:
    """The checkpoint that a bundle was made from."""

    name: str
    sha256: str
    weight_type: str
    parameters: int  # of the network and heads, the puzzle-embedding table left out
    averaged: bool | None  # the run's `ema`


@dataclass(frozen=True)
class Manifest:
    """The whole of ``manifest.json`` but its format line."""

    model: ModelConfig
    task: str
    checkpoint: CheckpointRecord
    targets: Mapping[str, TargetRecord]
    files: Mapping[str, FileRecord]
    limits: Limits = field(default_factory=Limits)
    tools: Mapping[str, str] = field(default_factory=dict)
    # Path of the checkpoint's float32 step graph for a CPU, that others are timed against.
    float32: str | None = None

    def __post_init__(self) -> None:
        if not self.targets:
            raise ConfigError("targets must name at least one target, but it is empty")

    def to_json(self) -> str:
        """The content of ``manifest.json``."""
        return records.encode(self, FORMAT)

    @classmethod
    def from_json(cls, text: str | bytes, where: str) -> Manifest:
        """Parse and check.

        Args:
            text: JSON, UTF-8.
            where: names the file in errors.

        Raises:
            BundleError: not a manifest, of a newer format, or inconsistent.
        """
        manifest = records.decode(text, cls, KIND, where, migrate=_migrate)
        manifest.check_paths(where)
        return manifest

    def check_paths(self, where: str) -> None:
        """Refuse paths that lead out of the bundle and step graphs that have no hash.

        Args:
            where: names the file in errors.

        Raises:
            BundleError: names the path.
        """
        steps = {name: target.step for name, target in self.targets.items()}
        if self.float32 is not None:
            steps["float32"] = self.float32
        for path in [*self.files, *steps.values()]:
            check_inside(path, where)
        for name, step in steps.items():
            if step not in self.files:
                raise BundleError(f"{where}: {step} of target {name} is not in its files.")


def check_inside(path: str, where: str) -> None:
    """Refuse a path that could lead out of the bundle.

    Raises:
        BundleError: absolute, with ``..``, or with a backslash or drive.
    """
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or ":" in path:
        raise BundleError(
            f"{where} names the path {path!r}, which leads out of the bundle. It was not written "
            "by trm-edge; do not use it."
        )


def _migrate(raw: dict[str, Any]) -> None:
    """Bundles of the first releases called simulated accuracy ``twin``."""
    targets = raw.get("targets")
    for target in targets.values() if isinstance(targets, dict) else ():
        if isinstance(target, dict) and "twin" in target:
            target["simulated"] = target.pop("twin")
