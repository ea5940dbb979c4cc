"""``manifest.json`` of a bundle: what is inside, what it was made from, what it promises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import PurePosixPath
from typing import Any

from trm_edge.config import ModelConfig
from trm_edge.errors import BundleError, ConfigError
from trm_edge.step import CarryType

FORMAT = "trm-edge.bundle/1"
_FAMILY, _VERSION = FORMAT.split("/")


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
class TwinAccuracy:
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
    twin: TwinAccuracy | None = None  # None: on a CPU the graph itself is what parity runs


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

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str) -> Manifest:
        """Parse and check; ``where`` names the file in errors.

        Raises:
            BundleError: not a manifest, of a newer format, or inconsistent.
        """
        try:
            raw = json.loads(text)
        except json.JSONDecodeError as error:
            raise BundleError(
                f"{where} is no JSON ({error}): the bundle is damaged. Export it again."
            ) from error
        check_format(raw, where)
        raw.pop("format")
        try:
            manifest = _manifest(raw)
        except (ConfigError, KeyError, TypeError, AttributeError) as error:
            raise BundleError(
                f"{where} does not describe a bundle: {error}. Export it again."
            ) from error
        steps = {name: target.step for name, target in manifest.targets.items()}
        if manifest.float32 is not None:
            steps["float32"] = manifest.float32
        for path in [*manifest.files, *steps.values()]:
            check_inside(path, where)
        for name, step in steps.items():
            if step not in manifest.files:
                raise BundleError(f"{where}: {step} of target {name} is not in its files.")
        return manifest


def check_format(raw: Any, where: str) -> None:
    """Tell a foreign file and a newer format apart.

    Raises:
        BundleError: names the format found and the one this version reads.
    """
    found = raw.get("format") if isinstance(raw, dict) else None
    if found == FORMAT:
        return
    family, _, version = found.partition("/") if isinstance(found, str) else ("", "", "")
    if family == _FAMILY and version.isdigit() and int(version) > int(_VERSION):
        raise BundleError(
            f"{where} has format {found}, but this version of trm-edge reads {FORMAT}. "
            "Upgrade with: pip install --upgrade trm-edge"
        )
    raise BundleError(
        f"{where} is no trm-edge bundle: its format is {found!r}, expected {FORMAT!r}."
    )


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


def _manifest(raw: dict[str, Any]) -> Manifest:
    raw.setdefault("float32", None)  # bundles made before there was one
    _only(raw, Manifest, "manifest")
    targets = {
        name: TargetRecord(
            **_only(
                {
                    **value,
                    "float_layers": tuple(
                        FloatLayer(**_only(layer, FloatLayer, "float_layers"))
                        for layer in value["float_layers"]
                    ),
                    "twin": None
                    if value["twin"] is None
                    else TwinAccuracy(**_only(value["twin"], TwinAccuracy, "twin")),
                },
                TargetRecord,
                f"targets.{name}",
            )
        )
        for name, value in raw["targets"].items()
    }
    if not targets:
        raise ConfigError("targets is empty")
    return Manifest(
        model=ModelConfig.from_dict(raw["model"]),
        task=str(raw["task"]),
        checkpoint=CheckpointRecord(**_only(raw["checkpoint"], CheckpointRecord, "checkpoint")),
        targets=targets,
        files={
            str(path): FileRecord(**_only(value, FileRecord, f"files.{path}"))
            for path, value in raw["files"].items()
        },
        limits=Limits(**_only(raw["limits"], Limits, "limits")),
        tools={str(name): str(version) for name, version in raw["tools"].items()},
        float32=None if raw["float32"] is None else str(raw["float32"]),
    )


def _only(values: Any, kind: Any, where: str) -> dict[str, Any]:
    """``values`` if it has exactly the fields of the dataclass ``kind``."""
    known = {f.name for f in fields(kind)}
    if not isinstance(values, dict) or set(values) != known:
        got = ", ".join(sorted(values)) if isinstance(values, dict) else repr(values)
        raise ConfigError(f"{where} must have the keys {', '.join(sorted(known))}, but has {got}")
    return values
