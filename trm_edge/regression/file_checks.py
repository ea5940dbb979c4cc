"""Checks of what is on disk: the step graph's bytes, sizes, and the element types of layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from trm_edge.regression.baseline import Measurement
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.check import (
    Change,
    Check,
    exact_ratio,
    not_compared,
    regressed_if,
    relative_check,
)

PRODUCT_TYPES = ("int4", "int8", "fp8", "float16", "bfloat16", "float32")  # narrowest first


def file_checks(current: Measurement, baseline: Measurement, budgets: Budgets) -> Iterator[Check]:
    """Compare the files of a target with the baseline's.

    Args:
        current: the target as it is.
        baseline: the target as it was.
        budgets: changes that are allowed.
    """
    yield _same_graph(current, baseline, budgets)
    yield from _sizes(current.sizes, baseline.sizes, budgets)
    yield _float_layers(current.float_layers, baseline.float_layers)
    if current.engine_layers and baseline.engine_layers:
        yield _engine_layers(current.engine_layers, baseline.engine_layers)


def _same_graph(current: Measurement, baseline: Measurement, budgets: Budgets) -> Check:
    """Compare hashes: a single wrong weight is within quantization noise, only the bytes show it.

    It regresses only where budgets pin the graph.
    """
    same = current.step_sha256 == baseline.step_sha256
    budget = 0 if budgets.pinned else None
    reason = None
    if not same:
        before = baseline.step_sha256[:12]
        reason = f"Its sha256 was {before} and is {current.step_sha256[:12]}"
    return Check(
        id="graph.identical",
        verdict=regressed_if(budgets.pinned and not same),
        unit="flag",
        before=1,
        now=int(same),
        change=Change(int(same) - 1),
        budget=budget,
        reason=reason,
    )


def _sizes(
    current: Mapping[str, int], baseline: Mapping[str, int], budgets: Budgets
) -> Iterator[Check]:
    for name in sorted({*current, *baseline}, reverse=True):
        check_id = f"size.{name}"
        size_before = baseline.get(name)
        size = current.get(name)
        if size_before is None or size is None:
            side = "baseline" if size is None else "bundle"
            reason = f"Only the {side} has this file"
            yield not_compared(check_id, reason, unit="bytes", before=size_before, now=size)
            continue
        ratio = exact_ratio(size, size_before)
        yield relative_check(
            check_id, ratio, budgets.size, unit="bytes", before=size_before, now=size
        )


def _float_layers(current: tuple[str, ...], baseline: tuple[str, ...]) -> Check:
    added = [layer for layer in current if layer not in baseline]
    reason = None
    if added:
        reason = f"Now in float: {', '.join(added)}"
    return Check(
        id="layers.float",
        verdict=regressed_if(bool(added)),
        unit="layers",
        before=len(baseline),
        now=len(current),
        change=Change(len(current) - len(baseline)),
        budget=0,
        reason=reason,
    )


def _engine_layers(
    current: Mapping[str, Mapping[str, int]], baseline: Mapping[str, Mapping[str, int]]
) -> Check:
    """Count the layers with a product in a wider type than any had in the baseline."""
    wider = []
    for layer, counts_before in baseline.items():
        counts = current.get(layer, {})
        if _widest(counts) > _widest(counts_before):
            before = _type_counts(counts_before)
            wider.append(f"{layer} ({before} before, {_type_counts(counts)} now)")
    reason = None
    if wider:
        reason = f"Now in a wider type: {', '.join(wider)}"
    return Check(
        id="layers.engine",
        verdict=regressed_if(bool(wider)),
        unit="layers",
        before=0,
        now=len(wider),
        change=Change(len(wider)),
        budget=0,
        reason=reason,
    )


def _widest(counts: Mapping[str, int]) -> int:
    """Position of the widest type in :data:`PRODUCT_TYPES`; -1 where none is known."""
    widest = -1
    for position, element_type in enumerate(PRODUCT_TYPES):
        if element_type in counts:
            widest = position
    return widest


def _type_counts(counts: Mapping[str, int]) -> str:
    """Format as ``float16 x 2, int8 x 19``."""
    return ", ".join(f"{element_type} x {counts[element_type]}" for element_type in sorted(counts))
