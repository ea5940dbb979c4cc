"""The CPUs that trm-edge is run on by emulation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Architecture = Literal["x86-64", "aarch64"]

_ARM_BASE = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop "
    "asimddp"
)
_X64_BASE = (
    "fpu tsc cx8 cmov mmx fxsr sse sse2 ht syscall nx lm pni ssse3 cx16 sse4_1 sse4_2 popcnt"
)


@dataclass(frozen=True)
class Machine:
    """A CPU, and what is expected of it.

    Args:
        name: short name, unique.
        architecture: decides which emulator and which Python run.
        cpu: the value of QEMU's ``-cpu``; empty for this machine's own CPU.
        instructions: what its INT8 kernels use, for people.
        features: flags that ``/proc/cpuinfo`` lists there.
        identity: other lines of ``/proc/cpuinfo`` there, as ``key: value``. Without them the
            emulated process reads those of this machine: ONNX Runtime on Arm crashes at them.
        exact_kernels: what ``trm-edge doctor`` must say about ``exact_int8``; None if unknown.
        float32_cpu: the value of ``-cpu`` for float32 graphs where it is another; QEMU takes
            twenty times as long for a step with the fused multiply-add of x64.
    """

    name: str
    architecture: Architecture
    cpu: str
    instructions: str
    features: str = ""
    identity: tuple[str, ...] = ()
    exact_kernels: bool | None = None
    float32_cpu: str = ""

    def cpuinfo(self) -> str:
        """Write the ``/proc/cpuinfo`` of this CPU with two cores."""
        key = "flags" if self.architecture == "x86-64" else "Features"
        cores = []
        for core in range(2):
            lines = [f"processor: {core}", f"{key}: {self.features}", *self.identity]
            cores.append("\n".join(lines))
        return "\n\n".join(cores) + "\n\n"


def _arm_identity(part: str) -> tuple[str, ...]:
    return (
        "CPU implementer: 0x41",
        "CPU architecture: 8",
        "CPU variant: 0x1",
        f"CPU part: {part}",
        "CPU revision: 1",
    )


def _x64_identity(model: int, name: str) -> tuple[str, ...]:
    return ("vendor_id: GenuineIntel", "cpu family: 6", f"model: {model}", f"model name: {name}")


NATIVE = Machine("native", "x86-64", "", "this machine's own")
MACHINES = (
    Machine(
        "Haswell",
        "x86-64",
        "Haswell",
        "AVX2, no VNNI",
        f"{_X64_BASE} fma movbe avx f16c bmi1 avx2 bmi2",
        _x64_identity(60, "Intel Core Processor (Haswell)"),
        exact_kernels=False,
        float32_cpu="Haswell,-fma",
    ),
    Machine(
        "Nehalem",
        "x86-64",
        "Nehalem",
        "SSE4.2, no AVX",
        _X64_BASE,
        _x64_identity(26, "Intel Core i7 9xx (Nehalem Class Core i7)"),
        exact_kernels=True,
    ),
    Machine(
        "cortex-a76",
        "aarch64",
        "cortex-a76",
        "dot product, as Jetson Orin",
        _ARM_BASE,
        _arm_identity("0xd0b"),
        exact_kernels=True,
    ),
    Machine(
        "i8mm",
        "aarch64",
        "max,sve=off,pauth-impdef=on",
        "INT8 matrix product (i8mm), as Jetson Thor",
        f"{_ARM_BASE} i8mm bf16",
        _arm_identity("0xd83"),
        exact_kernels=True,
    ),
)


def machines_named(names: tuple[str, ...]) -> tuple[Machine, ...]:
    """Select emulated CPUs.

    Args:
        names: of :data:`MACHINES`; empty for all.

    Raises:
        KeyError: there is no such machine.
    """
    if not names:
        return MACHINES
    by_name = {machine.name: machine for machine in MACHINES}
    return tuple(by_name[name] for name in names)
