"""Short names of the instruction sets that INT8 kernels use."""

from __future__ import annotations

from trm_edge.evaluation.machine import Machine

# By what decides about the kernels, the most specific first.
_NAMES = {
    "avx512_vnni": "x64, AVX512-VNNI",
    "avx_vnni": "x64, AVX-VNNI",
    "avx512f": "x64, AVX512 without VNNI",
    "avx2": "x64, AVX2 without VNNI",
    "i8mm": "Arm, i8mm",
    "asimddp": "Arm, dot product",
}


def instruction_set(machine: Machine) -> str:
    """Name what a machine's INT8 kernels use, or its system where it has none of these.

    Args:
        machine: the machine.
    """
    for flag, name in _NAMES.items():
        if flag in machine.instructions:
            return name
    return machine.system
