"""The least time of a step on a GPU, on paper: from operations, bytes and kernel launches.

    python benchmarks/gpu_floor.py

Prints Markdown. Peaks are the vendors', dense; what is reached is for `gpu.py` to find out.
"""

from __future__ import annotations

from dataclasses import dataclass

import click
from lib.published_sizes import SIZES
from lib.roofline import operations

from trm_edge.config import ModelConfig, swiglu_width

LAUNCH = 2e-6  # seconds between two kernels of a captured graph, an assumption
# Of one block when a compiler fuses what lies between products: INT8 by hand-counted kernels.
_KERNELS = {True: 10, False: 9}  # token mixing by SwiGLU, by attention


@dataclass(frozen=True)
class Gpu:
    """Peaks of a device, as its data sheet has them (no sparsity)."""

    name: str
    int8: float  # operations a second
    float16: float
    bandwidth: float  # bytes a second
    cache: float  # bytes of L2


GPUS = (
    Gpu("H200", 1979e12, 989e12, 4.8e12, 50e6),
    Gpu("Jetson AGX Thor (FP8)", 517e12, 259e12, 273e9, 32e6),
    Gpu("Jetson Orin Nano 8 GB, 25 W", 33e12, 17e12, 102e9, 2e6),
)


def floors(config: ModelConfig, gpu: Gpu, slots: int) -> dict[str, float]:
    """Seconds of a step by what would bound it alone."""
    products, attention = operations(config)
    inner = swiglu_width(config.hidden_size, config.expansion)
    block = 3 * config.hidden_size * inner
    if config.mlp_t:
        block += 3 * config.carry_len * swiglu_width(config.carry_len, config.expansion)
    else:
        block += 4 * config.hidden_size**2
    weights = config.L_layers * block  # INT8: a byte each
    passes = config.H_cycles * (config.L_cycles + 1)
    # Float16 between kernels: what a product writes and the next reads, of the widest tensors.
    between = slots * config.carry_len * (2 * inner + 6 * config.hidden_size) * 2.0 * 2
    reads = 1 if weights < gpu.cache else passes
    moved = reads * weights
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
                found = floors(config, gpu, slots)
                cells = " | ".join(f"{1e3 * value:.3f}" for value in found.values())
                worst = max(found, key=lambda key: found[key])
                click.echo(f"| {name} | {gpu.name} | {slots} | {cells} | {worst} |")


if __name__ == "__main__":
    main()
