"""What a training computes on."""

from __future__ import annotations

import torch


def choose_device() -> tuple[torch.device, torch.dtype]:
    """Choose a GPU where there is one, and bfloat16 where the device multiplies it quickly.

    Returns:
        The device, and the type to compute in.
    """
    if torch.cuda.is_available():
        return torch.device("cuda"), torch.bfloat16
    if _multiplies_bfloat16():
        return torch.device("cpu"), torch.bfloat16
    return torch.device("cpu"), torch.float32


def _multiplies_bfloat16() -> bool:
    """Whether the CPU has instructions for matrices of bfloat16 (AMX, AVX512-BF16, Arm BF16)."""
    read_capabilities = getattr(torch.cpu, "get_capabilities", dict)  # PyTorch 2.6 has none
    capabilities: dict[str, object] = read_capabilities()
    return any(bool(capabilities.get(name)) for name in ("amx_bf16", "avx512_bf16", "bf16"))
