"""What is on disk against the baseline: sizes, and the types that layers are in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from trm_edge.regression.baseline import Measurement
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.check import Check, compared, exactly, not_compared

_WIDTHS = ("int4", "int8", "fp8", "float16", "bfloat16", "float32")  # narrow to wide


def file_checks(now: Measurement, then: Measurement, budgets: Budgets) -> Iterator[Check]:
    yield _same_graph(now, then, budgets)
    yield from _sizes(now.sizes, then.sizes, budgets)
    yield from _layers(now, then)


def _same_graph(now: Measurement, then: Measurement, budgets: Budgets) -> Check:
    """A single wrong weight is within quantization's noise: only the bytes show it."""
    same = now.step_sha256 == then.step_sha256
    return Check(
        "step graph",
        "regressed" if budgets.pinned and not same else "ok",
        then.step_sha256[:12],
        now.step_sha256[:12],
        "" if same else "another file",
        "none other" if budgets.pinned else "any",
    )


def _sizes(now: Mapping[str, int], then: Mapping[str, int], budgets: Budgets) -> Iterator[Check]:
    for name in sorted({*now, *then}, reverse=True):
        if name not in now or name not in then:
            where = "now" if name in now else "before"
            why = f"There is one only {where}"
            yield not_compared(f"size of the {name}", why)
            continue
        before, after = (f"{sizes[name] / 1e3:.1f} kB" for sizes in (then, now))
        found = exactly(now[name], then[name])
        yield compared(f"size of the {name}", found, budgets.size, before, after)


def _layers(now: Measurement, then: Measurement) -> Iterator[Check]:
    added = [layer for layer in now.float_layers if layer not in then.float_layers]
    yield Check(
        "layers in float",
        "regressed" if added else "ok",
        str(len(then.float_layers)),
        str(len(now.float_layers)),
        "",
        "none more",
        f"In float now: {', '.join(added)}" if added else "",
    )
    if then.engine_layers and now.engine_layers:
        changed = [
            f"{layer} ({kind} before, {now.engine_layers.get(layer, 'gone')} now)"
            for layer, kind in then.engine_layers.items()
            if _widest(now.engine_layers.get(layer, "float32")) > _widest(kind)
        ]
        yield Check(
            "precision of the engine's layers",
            "regressed" if changed else "ok",
            f"{len(then.engine_layers)} layers",
            f"{len(now.engine_layers)} layers",
            "",
            "none wider",
            f"Wider now: {', '.join(changed)}" if changed else "",
        )


def _widest(kinds: str) -> int:
    return max((_WIDTHS.index(kind) for kind in _WIDTHS if f"{kind} x" in kinds), default=-1)
