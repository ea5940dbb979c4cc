"""What ``trm-edge bench -o`` wrote, ``trm-edge.bench/1``, so that nothing is measured twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from trm_edge.bundle import Bundle
from trm_edge.errors import BundleError
from trm_edge.evaluation.bench import BenchRow, Latency
from trm_edge.evaluation.machine import Machine
from trm_edge.evaluation.parity import CarryParity, HaltingParity, ModeParity, ParityReport
from trm_edge.evaluation.timing import Ratio

FORMAT = "trm-edge.bench/1"
T = TypeVar("T")


@dataclass(frozen=True)
class BenchFile:
    """Rows that were measured before, and on what."""

    path: Path
    machine: Machine
    rows: tuple[BenchRow, ...]

    def find(self, bundle: Bundle, target: str) -> BenchRow | None:
        """What was measured of a bundle's target; None where nothing was.

        Raises:
            BundleError: it was measured when it was another file.
        """
        for row in self.rows:
            if row.target != target or Path(row.bundle).resolve() != bundle.path.resolve():
                continue
            was = (row.precision, row.bytes)
            now = (bundle.manifest.targets[target].precision, bundle.size_of(target))
            if was != now:
                raise BundleError(
                    f"{self.path} measured the target {target} of {bundle.path} when it was "
                    f"{was[0]} in {was[1]} bytes, but now it is {now[0]} in {now[1]} bytes. "
                    "Measure it again with trm-edge bench, or leave out --bench."
                )
            return row
        return None


def read_bench(path: Path) -> BenchFile:
    """
    Raises:
        BundleError: not there, nothing of ``trm-edge bench``, of another version, or damaged.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except FileNotFoundError as error:
        raise BundleError(
            f"there is no file {path}. Write one with: trm-edge bench BUNDLE -o {path}"
        ) from error
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read as a benchmark: {error}.") from error
    found = raw.get("format") if isinstance(raw, dict) else None
    if found != FORMAT:
        raise BundleError(
            f"{path} is no benchmark of this version: its format is {found!r}, expected "
            f"{FORMAT!r}. Write it again with: trm-edge bench BUNDLE -o {path}"
        )
    try:
        rows = tuple(_row(one) for one in raw["rows"])
        return BenchFile(path, Machine.from_dict(raw["machine"]), rows)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(
            f"{path} is damaged ({error!r}). Write it again with: trm-edge bench BUNDLE -o {path}"
        ) from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no figure")


def _row(raw: Mapping[str, Any]) -> BenchRow:
    parity, joules = raw["parity"], raw["joules_per_puzzle"]
    latencies = tuple(_latency(one) for one in raw["latencies"])
    if not latencies or len(parity["modes"]) != 2:
        raise ValueError(f"{len(latencies)} latencies, {len(parity['modes'])} halting modes")
    return BenchRow(
        bundle=str(raw["bundle"]),
        target=str(raw["target"]),
        precision=str(raw["precision"]),
        engine=str(raw["engine"]),
        bytes=int(raw["bytes"]),
        parity=ParityReport(
            puzzles=int(parity["puzzles"]),
            labelled=bool(parity["labelled"]),
            modes=tuple(_made(ModeParity, mode) for mode in parity["modes"]),
            halting=_made(HaltingParity, parity["halting"]),
            carry=_made(CarryParity, parity["carry"]),
        ),
        latencies=latencies,
        puzzles_per_second=float(raw["puzzles_per_second"]),
        peak_memory=int(raw["peak_memory"]),
        startup=float(raw["startup"]),
        joules_per_puzzle=None if joules is None else float(joules),
    )


def _latency(raw: Mapping[str, Any]) -> Latency:
    p50, p90, p99 = (float(raw[name]) for name in ("p50", "p90", "p99"))
    times = raw["times_float32"]
    return Latency(int(raw["slots"]), p50, p90, p99, None if times is None else _made(Ratio, times))


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


_READ: dict[str, Callable[[Any], Any]] = {
    "int": int,
    "float": float,
    "str": str,
    "tuple[float, float]": _floats,
    "tuple[float, ...]": _floats,
    "tuple[int, ...]": lambda values: tuple(int(value) for value in values),
}


def _made(kind: Callable[..., T], raw: Mapping[str, Any]) -> T:
    """A flat dataclass, each field read as what it is declared to be."""
    declared = fields(kind)  # type: ignore[arg-type]
    return kind(**{field.name: _READ[str(field.type)](raw[field.name]) for field in declared})
