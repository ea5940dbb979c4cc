"""``trm-edge.bench/2``: the file of ``trm-edge bench -o``, written and read here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from trm_edge import records
from trm_edge.bundle import Bundle
from trm_edge.errors import RecordError
from trm_edge.evaluation.bench import BenchRow
from trm_edge.evaluation.machine import Machine
from trm_edge.records import Format, RecordKind

FORMAT = Format("trm-edge.bench", 2)
_FIRST_FORMAT = Format("trm-edge.bench", 1)
KIND = RecordKind(
    FORMAT, "a benchmark", RecordError, "Measure again with: trm-edge bench BUNDLE -o FILE"
)


@dataclass(frozen=True)
class BenchRecord:
    """Content of a benchmark file.

    Args:
        machine: the machine measured on.
        rows: one entry per target of a bundle.
    """

    machine: Machine
    rows: tuple[BenchRow, ...]

    def to_json(self) -> str:
        """Encode as the JSON of ``trm-edge bench --json``."""
        return records.encode(self, FORMAT)


@dataclass(frozen=True)
class BenchFile:
    """A benchmark file that was read.

    Args:
        path: the file.
        machine: the machine measured on.
        rows: measurements by target and bundle.
    """

    path: Path
    machine: Machine
    rows: tuple[BenchRow, ...]

    def find(self, bundle: Bundle, target: str) -> BenchRow | None:
        """Return the measurements of a bundle's target.

        Args:
            bundle: the bundle.
            target: name of the target.

        Returns:
            The row; None where this target was not measured.

        Raises:
            RecordError: the target was measured when its precision or size was different.
        """
        for row in self.rows:
            if row.target != target or Path(row.bundle).resolve() != bundle.path.resolve():
                continue
            precision = bundle.manifest.targets[target].precision
            size = bundle.size_of(target)
            if (row.precision, row.size_bytes) != (precision, size):
                raise RecordError(
                    f"{self.path} measured the target {target} of {bundle.path} when it was "
                    f"{row.precision} in {row.size_bytes} bytes, but now it is {precision} in "
                    f"{size} bytes. Measure again with: trm-edge bench {bundle.path} -o "
                    f"{self.path}, or leave out --bench."
                )
            return row
        return None


def write_bench(path: Path, record: BenchRecord) -> None:
    """Write a benchmark file.

    Args:
        path: the file; missing folders are created.
        record: its content.

    Raises:
        OutputError: the file cannot be written.
    """
    records.write(path, record, FORMAT)


def read_bench(path: Path) -> BenchFile:
    """Read a benchmark file.

    Args:
        path: the file.

    Raises:
        RecordError: the file does not exist, is not a benchmark, is of another version, or is
            damaged.
    """
    record = records.read(
        path,
        BenchRecord,
        KIND,
        missing=f"there is no file {path}. Write it with: trm-edge bench BUNDLE -o {path}",
        upgrade=partial(_refuse_first_version, path),
    )
    return BenchFile(path, record.machine, record.rows)


def _refuse_first_version(path: Path, raw: Any) -> Any:
    """Refuse ``/1``, whose keys had other names and no units; it was never released."""
    content_format = None
    if isinstance(raw, dict):
        content_format = Format.parse(raw.get("format"))
    if content_format == _FIRST_FORMAT:
        raise RecordError(
            f"{path} has format {content_format}, but this version of trm-edge reads {FORMAT}. "
            f"Measure again with: trm-edge bench BUNDLE -o {path}"
        )
    return raw
