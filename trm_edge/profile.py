"""A device as data: one TOML file each, unknown keys refused."""

from __future__ import annotations

import re
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal, get_args

from trm_edge.errors import ConfigError
from trm_edge.step import CarryType

Precision = Literal["int8", "fp8", "fp16", "fp32", "int8-weight-only", "int4-weight-only"]
Engine = Literal["onnxruntime", "tensorrt"]
# How INT8 inputs of a product are rounded: each row by its own magnitude, those rows alone that no
# norm has scaled, or by one range a layer.
Int8Ranges = Literal["per_token", "per_token_products", "per_layer"]


@dataclass(frozen=True)
class TargetProfile:
    """What a device can run, and how its step graph has to be.

    Raises:
        ConfigError: a value is out of range.
    """

    name: str
    description: str
    engine: Engine
    precisions: tuple[Precision, ...]
    correctness_only: tuple[Precision, ...] = ()  # runs, but not for speed
    carry: CarryType = "float32"  # also what is not quantized is computed in, but for --fp32
    int8_ranges: Int8Ranges = "per_layer"
    opset: int = 19  # the highest that its parser reads
    batch: tuple[int, int, int] = (1, 8, 64)  # least, usual and most slots of an engine
    # Where the engine is TensorRT's.
    compute_capability: str = ""
    tensorrt: tuple[str, str] = ("", "")  # versions that there are for it, oldest and newest
    software: str = ""  # what brings them
    memory_gb: float = 0.0
    unified_memory: bool = False  # shared with the CPU
    workspace_mb: int = 1024  # that the builder may use
    power_modes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        def require(fine: bool, key: str, expected: str) -> None:
            if not fine:
                raise ConfigError(
                    f"target {self.name}: {key} must be {expected}, but got {getattr(self, key)!r}."
                )

        for key, choices in (
            ("engine", get_args(Engine)),
            ("carry", get_args(CarryType)),
            ("int8_ranges", get_args(Int8Ranges)),
        ):
            require(getattr(self, key) in choices, key, f"one of {', '.join(choices)}")
        for key in ("precisions", "correctness_only"):
            known = get_args(Precision)
            require(set(getattr(self, key)) <= set(known), key, f"among {', '.join(known)}")
        require(bool(self.precisions), "precisions", "one or more")
        require(
            set(self.correctness_only) <= set(self.precisions), "correctness_only", "in precisions"
        )
        least_usual_most = list(self.batch)
        require(
            len(self.batch) == 3 and self.batch[0] >= 1 and sorted(self.batch) == least_usual_most,
            "batch",
            "three rising numbers from 1: least, usual and most slots",
        )
        if self.engine == "tensorrt":
            require(
                bool(re.fullmatch(r"\d+\.\d", self.compute_capability)),
                "compute_capability",
                "like '8.7'",
            )
            require(
                len(self.tensorrt) == 2 and all(map(_version, self.tensorrt)),
                "tensorrt",
                "two versions like '10.3'",
            )
            require(self.memory_gb > 0, "memory_gb", "positive")
            require(self.workspace_mb > 0, "workspace_mb", "positive")

    def require(self, precision: Precision) -> None:
        """Refuse what the device does not have.

        Raises:
            ConfigError: lists what it has.
        """
        if precision not in self.precisions:
            raise ConfigError(
                f"{self.name} has no {precision}; it has {', '.join(self.precisions)}."
            )

    def carry_of(self, precision: Precision) -> CarryType:
        """Element type of the carry, and of what is not quantized."""
        if precision == "fp32":
            return "float32"
        return "float16" if precision == "fp16" else self.carry


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("."))) if re.fullmatch(r"\d+(\.\d+)+", text) else ()


def profile_from_dict(name: str, values: dict[str, Any]) -> TargetProfile:
    """Check the keys of a target's file.

    Raises:
        ConfigError: names what is unknown or missing, and the known keys.
    """
    keys = [field for field in fields(TargetProfile) if field.name != "name"]
    known = [key.name for key in keys]
    unknown = sorted(set(values) - set(known))
    missing = [key.name for key in keys if key.default is MISSING and key.name not in values]
    if unknown or missing:
        raise ConfigError(
            f"target {name}: unknown {', '.join(unknown) or 'nothing'}, missing "
            f"{', '.join(missing) or 'nothing'}. The keys are {', '.join(known)}."
        )
    plain: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    return TargetProfile(name=name, **plain)
