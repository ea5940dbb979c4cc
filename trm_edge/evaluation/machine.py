"""What figures were taken on, and whether two machines are of one kind."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trm_edge.backends.onnxruntime import available_cores

_CPU = Path("/proc/cpuinfo")
_DESIGN = ("cpu family", "model", "CPU implementer", "CPU part")  # lines of it, x86 and ARM
_MODEL = Path("/proc/device-tree/model")  # a Jetson says its name here
# Those that decide which kernels a runtime takes.
_INSTRUCTIONS = frozenset(
    {
        "avx2",
        "avx512f",
        "avx512_vnni",
        "avx_vnni",
        "avx512_bf16",
        "amx_int8",
        "amx_bf16",
        "asimddp",
        "i8mm",
        "bf16",
        "sve",
    }
)


@dataclass(frozen=True)
class Machine:
    """A machine and what computes on it."""

    cpu: str
    instructions: tuple[str, ...]
    gpus: tuple[str, ...]
    system: str
    cores: int
    python: str
    onnxruntime: str
    design: str = ""  # of the CPU, as its maker counts; clouds often hide the number in its name

    @classmethod
    def current(cls) -> Machine:
        """This one."""
        import onnxruntime

        from trm_edge.engines.driver import probe

        told = _told()
        flags = set((told.get("flags") or told.get("Features") or "").split())
        return cls(
            cpu=_name() or told.get("model name") or platform.processor() or platform.machine(),
            instructions=tuple(sorted(flags & _INSTRUCTIONS)),
            gpus=tuple(gpu.name for gpu in probe().gpus),
            system=f"{platform.system()} {platform.machine()}",
            cores=available_cores(),
            python=platform.python_version(),
            onnxruntime=onnxruntime.__version__,
            design=" ".join(f"{key} {told[key]}" for key in _DESIGN if key in told),
        )

    def same_kind(self, other: Machine) -> bool:
        """Whether ratios of times taken on one can be expected on the other.

        The number of cores does not matter, since a CPU's steps are compared on one thread.
        """
        return self.kind == other.kind

    @property
    def kind(self) -> str:
        """What decides about speed, in one line."""
        about = (self.design, " ".join(self.instructions), self.system)
        return ", ".join([f"{self.cpu} ({'; '.join(one for one in about if one)})", *self.gpus])

    def __str__(self) -> str:
        gpus = f", {', '.join(self.gpus)}" if self.gpus else ""
        features = f" ({', '.join(self.instructions)})" if self.instructions else ""
        return (
            f"{self.cpu}{features}, {self.cores} cores{gpus}, ONNX Runtime {self.onnxruntime}, "
            f"load {_load():.2f}"
        )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Machine:
        made: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**made)


def _told() -> dict[str, str]:
    text = _CPU.read_text(errors="replace") if _CPU.exists() else ""
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _name() -> str:
    return _MODEL.read_text(errors="replace").strip("\0 \n") if _MODEL.exists() else ""


def _load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
