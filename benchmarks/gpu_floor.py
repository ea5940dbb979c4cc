"""Estimate lower bounds of a step on a GPU from operations, bytes and kernel launches.

    python benchmarks/gpu_floor.py

Prints Markdown. Peaks are the vendors' dense figures; `gpu.py` measures what is reached.
"""

from __future__ import annotations

from dataclasses import dataclass

from lib.extras import require_bench_extra

require_bench_extra("torch", "onnx")

import click
from lib.published_sizes import SIZES
from lib.roofline import operations

from trm_edge.config import ModelConfig, swiglu_width

LAUNCH = 2e-6  # seconds between two kernels of a captured graph, an assumption
# Kernels of an INT8 block if a compiler fuses everything between products, counted by hand: for
# token mixing by SwiGLU and by attention.
_KERNELS = {True: 10, False: 9}


@dataclass(frozen=True)
class Gpu:
    """Peaks of a device from its data sheet, without sparsity.

    Args:
        name: name of the device.
        int8: INT8 operations per second.
        float16: float16 operations per second.
        bandwidth: bytes per second.
        cache: bytes of the L2 cache.
    """

    name: str
    int8: float
    float16: float
    bandwidth: float
    cache: float


GPUS = (
    Gpu("H200", 1979e12, 989e12, 4.8e12, 50e6),
    Gpu("Jetson AGX Thor (FP8)", 517e12, 259e12, 273e9, 32e6),
    Gpu("Jetson Orin Nano 8 GB, 25 W", 33e12, 17e12, 102e9, 2e6),
)


def floors(config: ModelConfig, gpu: Gpu, slots: int) -> dict[str, float]:
    """Compute the seconds of a step if only one resource limited it.

    Args:
        config: the model.
        gpu: the device.
        slots: number of slots.

    Returns:
        Seconds by resource: operations, bytes, launches.
    """
    products, attention = operations(config)
    inner = swiglu_width(config.hidden_size, config.expansion)
    block = 3 * config.hidden_size * inner
    if config.mlp_t:
        block += 3 * config.carry_len * swiglu_width(config.carry_len, config.expansion)
    else:
        block += 4 * config.hidden_size**2
    weights = config.L_layers * block  # INT8: a byte each
    passes = config.H_cycles * (config.L_cycles + 1)
    # Bytes between kernels in float16: the widest tensors from one product to the next.
    between = slots * config.carry_len * (2 * inner + 6 * config.hidden_size) * 2.0 * 2
    reads = 1 if weights < gpu.cache else passes
    moved = float(reads * weights)
    if between / 2 > gpu.cache:
        moved += passes * config.L_layers * between
    kernels = passes * config.L_layers * _KERNELS[config.mlp_t]
    return {
        "operations": slots * (products / gpu.int8 + attention / gpu.float16),
        "bytes": moved / gpu.bandwidth,
        "launches": kernels * LAUNCH,
    }


@click.command(help=__doc__)
def main() -> None:
    click.echo(
        "| model | GPU | slots | operations, ms | bytes, ms | launches, ms | bound by |\n"
        "|---|---|---|---|---|---|---|"
    )
    for name, config in SIZES.items():
        for gpu in GPUS:
            for slots in (1, 256):
                bounds = floors(config, gpu, slots)
                cells = " | ".join(f"{1e3 * seconds:.3f}" for seconds in bounds.values())
                limit = max(bounds, key=bounds.__getitem__)
                click.echo(f"| {name} | {gpu.name} | {slots} | {cells} | {limit} |")


if __name__ == "__main__":
    main()
