"""Description of the machine that figures are measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from trm_edge.threads import available_cores

_CPUINFO = Path("/proc/cpuinfo")
_BOARD_MODEL = Path("/proc/device-tree/model")  # the name of a Jetson
# Lines of /proc/cpuinfo that identify the CPU's design, on x86 and on ARM.
_DESIGN_KEYS = ("cpu family", "model", "CPU implementer", "CPU part")
# Instruction sets that decide which kernels a runtime selects.
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
    """A machine and the software that computes on it.

    Args:
        cpu: name of the CPU, or of the board where it has one.
        instructions: instruction sets that decide which kernels a runtime selects.
        gpus: names of the NVIDIA GPUs.
        system: operating system and architecture.
        cores: number of cores this process may use.
        python: version of Python.
        onnxruntime: version of ONNX Runtime.
        design: the CPU's family and model numbers; clouds often hide them in its name.
    """

    cpu: str
    instructions: tuple[str, ...]
    gpus: tuple[str, ...]
    system: str
    cores: int
    python: str
    onnxruntime: str
    design: str = ""

    @classmethod
    def current(cls) -> Machine:
        """Describe this machine."""
        import onnxruntime

        from trm_edge.engines.driver import probe

        cpuinfo = _read_cpuinfo()
        flags = cpuinfo.get("flags") or cpuinfo.get("Features") or ""
        design = [f"{key} {cpuinfo[key]}" for key in _DESIGN_KEYS if key in cpuinfo]
        return cls(
            cpu=cpu_name(),
            instructions=tuple(sorted(_INSTRUCTIONS.intersection(flags.split()))),
            gpus=tuple(gpu.name for gpu in probe().gpus),
            system=f"{platform.system()} {platform.machine()}",
            cores=available_cores(),
            python=platform.python_version(),
            onnxruntime=onnxruntime.__version__,
            design=" ".join(design),
        )

    def same_kind(self, machine: Machine) -> bool:
        """Tell whether ratios of times measured on this machine can be expected on another.

        The number of cores does not matter, because CPU steps are compared on one thread.

        Args:
            machine: another machine.
        """
        return self.kind == machine.kind

    @property
    def kind(self) -> str:
        """The properties that decide about speed, in one line."""
        details = [self.design, " ".join(self.instructions), self.system]
        description = "; ".join(detail for detail in details if detail)
        return ", ".join([f"{self.cpu} ({description})", *self.gpus])

    def __str__(self) -> str:
        gpus = f", {', '.join(self.gpus)}" if self.gpus else ""
        instructions = f" ({', '.join(self.instructions)})" if self.instructions else ""
        return (
            f"{self.cpu}{instructions}, {self.cores} cores{gpus}, ONNX Runtime {self.onnxruntime}, "
            f"load {_load():.2f}"
        )


def cpu_name() -> str:
    """Name the CPU: the board's name on a Jetson, else the CPU's model name on x86 and ARM."""
    if _BOARD_MODEL.exists():
        board = _BOARD_MODEL.read_text(errors="replace").strip("\0 \n")
        if board:
            return board
    model_name = _read_cpuinfo().get("model name")
    return model_name or platform.processor() or platform.machine()


def _read_cpuinfo() -> dict[str, str]:
    """The last value of each key of ``/proc/cpuinfo``; empty on other systems than Linux."""
    values: dict[str, str] = {}
    if not _CPUINFO.exists():
        return values
    for line in _CPUINFO.read_text(errors="replace").splitlines():
        key, separator, value = line.partition(":")
        if separator:
            values[key.strip()] = value.strip()
    return values


def _load() -> float:
    """Load average of the last minute; 0 where the system has none."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
