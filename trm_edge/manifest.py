"""``manifest.json`` of a bundle: its contents, its origin and its accuracy limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from trm_edge import records
from trm_edge.config import ModelConfig
from trm_edge.errors import BundleError, ConfigError
from trm_edge.manifest_checks import check_file, check_inside, check_limits, check_target_name
from trm_edge.profile import TargetProfile
from trm_edge.step import CarryType

RowType = Literal["float32", "int8"]
CPU = "cpu"  # the target whose graph ONNX Runtime runs on a CPU
FORMAT = records.Format("trm-edge.bundle", 1)
KIND = records.RecordKind(FORMAT, "a trm-edge bundle", BundleError, "Export it again.")


@dataclass(frozen=True)
class FileRecord:
    """A file of the bundle as it was written.

    Args:
        sha256: hash of its bytes, in hexadecimal.
        size: bytes.
    """

    sha256: str
    size: int


@dataclass(frozen=True)
class FloatLayer:
    """A layer that was left in float.

    Args:
        layer: name of the layer.
        reason: why, as a sentence.
    """

    layer: str
    reason: str


@dataclass(frozen=True)
class SimulatedAccuracy:
    """Accuracy of a graph whose quantization is simulated in float32 on a CPU.

    Args:
        puzzles: number of held-out puzzles.
        exact_fixed: share of puzzles, 0..1, whose every cell is right in fixed mode.
        exact_adaptive: the same in adaptive mode.
        drop_fixed: points of exact match lost against the float32 model, in fixed mode.
        drop_adaptive: the same in adaptive mode.
        drop_bound: upper end of the drop's 95 % interval, in the mode where it is higher.
        halting_agreement: share of puzzles, 0..1, that stop at the same step as in float32.
        carry_cosine_first: cosine between the carries and those of float32 after the first step.
        carry_cosine_last: the same after the last step.
        labelled: every right answer is known; otherwise those of the float32 model count as right,
            and the figures are of agreement.
    """

    puzzles: int
    exact_fixed: float
    exact_adaptive: float
    drop_fixed: float
    drop_adaptive: float
    drop_bound: float
    halting_agreement: float
    carry_cosine_first: float
    carry_cosine_last: float
    labelled: bool = True


@dataclass(frozen=True)
class TargetRecord:
    """The step graph that was exported for one target.

    Args:
        precision: as asked for: fp32, fp16, int8, fp8 or int4.
        carry: type of the carries and the puzzle embedding.
        opset: ONNX opset of the step graph.
        step: path of the step graph inside the bundle.
        float_layers: layers that were left in float.
        simulated: None where nothing is quantized, and on a CPU in bundles of the first versions.
        profile: the device that the target is for; None in bundles written before profiles were
            recorded.
        noise: the step graph has inputs for noise.
    """

    precision: str
    carry: CarryType
    opset: int
    step: str
    float_layers: tuple[FloatLayer, ...] = ()
    simulated: SimulatedAccuracy | None = None
    profile: TargetProfile | None = None
    noise: bool = False


@dataclass(frozen=True)
class Limits:
    """Accuracy that a bundle may lose against float32; ``trm-edge parity`` checks it.

    Args:
        max_drop: points of exact match, 0..100, in either halting mode.
        min_halting_agreement: share of puzzles, 0..1, that must stop at the same step.

    Raises:
        ConfigError: a value is out of range.
    """

    max_drop: float = 0.5
    min_halting_agreement: float = 0.9

    def __post_init__(self) -> None:
        if not 0 <= self.max_drop <= 100:
            raise ConfigError(f"max_drop must lie in 0..100 points, but got {self.max_drop}.")
        if not 0 <= self.min_halting_agreement <= 1:
            raise ConfigError(
                f"min_halting_agreement must lie in 0..1, but got {self.min_halting_agreement}."
            )


@dataclass(frozen=True)
class HubRecord:
    """The place on a hub that a checkpoint was fetched from.

    Args:
        repository: OWNER/NAME.
        commit: the commit that the revision stood for, in hexadecimal.
        file: path in the repository.
    """

    repository: str
    commit: str
    file: str


@dataclass(frozen=True)
class CheckpointRecord:
    """The checkpoint that a bundle was made from.

    Args:
        name: of its file.
        sha256: hash of its bytes, in hexadecimal.
        weight_type: type of its weights, such as float32.
        parameters: of the network and heads, without the puzzle-embedding table.
        averaged: the weights are a moving average (the run's ``ema``); None where it is unknown.
        hub: where it was fetched from; None for a file of the exporting machine.
    """

    name: str
    sha256: str
    weight_type: str
    parameters: int
    averaged: bool | None
    hub: HubRecord | None = None


@dataclass(frozen=True)
class RowsRecord:
    """How the rows of the puzzle-embedding table are stored, and which of the checkpoint's.

    Args:
        type: float32 or int8.
        checkpoint_rows: rows of the checkpoint's table; more than the bundle's where only those of
            some tasks were exported.
        mean_error: mean over the rows of the Euclidean length of the rounding error, as a share of
            the row's.
        max_error: the same of the worst row.
    """

    type: RowType
    checkpoint_rows: int
    mean_error: float = 0.0
    max_error: float = 0.0


@dataclass(frozen=True)
class Manifest:
    """The content of ``manifest.json`` without its format line.

    Args:
        model: configuration of the model.
        task: name of the task.
        checkpoint: the origin of the weights.
        targets: the step graphs by name of the target.
        files: every file of the bundle by its path, the manifest left out.
        limits: accuracy that the bundle may lose against float32.
        tools: versions of the packages that made the bundle, by name.
        float32: path of the checkpoint's float32 step graph for a CPU, the reference of timings.
        rows: of the puzzle-embedding table; None where the bundle has all of the checkpoint's in
            float32, or there are none.

    Raises:
        ConfigError: there are no targets.
    """

    model: ModelConfig
    task: str
    checkpoint: CheckpointRecord
    targets: Mapping[str, TargetRecord]
    files: Mapping[str, FileRecord]
    limits: Limits = field(default_factory=Limits)
    tools: Mapping[str, str] = field(default_factory=dict)
    float32: str | None = None
    rows: RowsRecord | None = None

    def __post_init__(self) -> None:
        if not self.targets:
            raise ConfigError("targets must name at least one target, but it is empty")

    def to_json(self) -> str:
        """Return the text of ``manifest.json``."""
        return records.encode(self, FORMAT)

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read and check ``manifest.json``.

        Args:
            path: the file.

        Raises:
            BundleError: it cannot be read, is not a manifest, of a newer format, or inconsistent.
        """
        manifest = records.read(path, cls, KIND, migrate=_migrate)
        manifest.check(str(path))
        return manifest

    def check(self, where: str) -> None:
        """Refuse paths that lead out of the bundle, files without a hash, and absurd sizes.

        Args:
            where: names the file in errors.

        Raises:
            BundleError: names the path or the limit.
        """
        steps = {name: target.step for name, target in self.targets.items()}
        if self.float32 is not None:
            steps["float32"] = self.float32
        for name in self.targets:
            check_target_name(name, where)
        for path in [*self.files, *steps.values()]:
            check_inside(path, where)
        for name, step in steps.items():
            if step not in self.files:
                raise BundleError(
                    f"{where}: {step} of target {name} is not in its files. Export the bundle "
                    "again."
                )
        size = 0
        for path, record in self.files.items():
            check_file(path, record.size, record.sha256, where)
            size += record.size
        check_limits(len(self.files), size, self.model, where)


def _migrate(raw: dict[str, Any]) -> None:
    """Rename what the first versions called ``twin``: the simulated accuracy of a target."""
    targets = raw.get("targets")
    if not isinstance(targets, dict):
        return
    for target in targets.values():
        if isinstance(target, dict) and "twin" in target:
            target["simulated"] = target.pop("twin")
