"""The records of a bundle beside its manifest: calibration, ranking of layers, floor, parity."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from trm_edge import calibration_record, records
from trm_edge.calibration_record import CalibrationRecord
from trm_edge.config import ModelConfig
from trm_edge.errors import BundleError
from trm_edge.records import RecordKind
from trm_edge.verified_files import VerifiedFiles

if TYPE_CHECKING:
    from trm_edge.evaluation.floor import NumericsFloor
    from trm_edge.evaluation.ranking import LayerRanking
    from trm_edge.evaluation.vectors import ParityVectors

T = TypeVar("T")

CALIBRATION = "calibration.json"
SENSITIVITY = "sensitivity.json"
FLOOR = "floor.json"
PARITY = "parity.npz"
_MAX_VECTOR_BYTES = 256 << 20  # of parity.npz, compressed


def read_parity(files: VerifiedFiles, config: ModelConfig) -> ParityVectors:
    """Read the float32 model's own answers to the held-out puzzles from ``parity.npz``.

    Args:
        files: of the bundle.
        config: the model.

    Raises:
        BundleError: the bundle has no such file, or it does not fit the model.
    """
    from trm_edge.evaluation.vectors import ParityVectors

    path = files.folder / PARITY
    if PARITY not in files.records:
        raise BundleError(f"{path} is not in the bundle. Export it again.")
    if files.records[PARITY].size > _MAX_VECTOR_BYTES:
        raise BundleError(
            f"{path} is larger than {_MAX_VECTOR_BYTES >> 20} MiB. Export the bundle again "
            "with fewer held-out puzzles."
        )
    return ParityVectors.decode(files.read(PARITY), config, str(path))


def read_calibration(files: VerifiedFiles) -> CalibrationRecord | None:
    """Read ``calibration.json``; None where nothing was quantized.

    Args:
        files: of the bundle.

    Raises:
        CalibrationError: the file is not what an export writes.
    """
    return _read_record(
        files,
        CALIBRATION,
        CalibrationRecord,
        calibration_record.KIND,
        migrate=calibration_record.migrate,
    )


def read_sensitivity(files: VerifiedFiles) -> LayerRanking | None:
    """Read ``sensitivity.json``, the costliest layer first; None where none were ranked.

    Args:
        files: of the bundle.

    Raises:
        BundleError: the file is not what an export writes.
    """
    from trm_edge.evaluation import ranking

    return _read_record(
        files, SENSITIVITY, ranking.LayerRanking, ranking.KIND, upgrade=ranking.upgraded
    )


def read_floor(files: VerifiedFiles) -> NumericsFloor | None:
    """Read ``floor.json``, what float arithmetic alone changes; None where it is not recorded.

    Args:
        files: of the bundle.

    Raises:
        BundleError: the file is not what an export writes.
    """
    from trm_edge.evaluation import floor

    return _read_record(files, FLOOR, floor.NumericsFloor, floor.KIND)


def _read_record(
    files: VerifiedFiles,
    name: str,
    record: type[T],
    kind: RecordKind,
    *,
    upgrade: Callable[[Any], Any] | None = None,
    migrate: Callable[[dict[str, Any]], None] | None = None,
) -> T | None:
    """Read a JSON file that the bundle may have, unless it is too large to be parsed."""
    if name not in files.records:
        return None
    path = files.folder / name
    if files.records[name].size > records.MAX_BYTES:
        raise BundleError(
            f"{path} is larger than {records.MAX_BYTES >> 20} MiB. Export the bundle again."
        )
    return records.decode(
        files.read(name), record, kind, str(path), upgrade=upgrade, migrate=migrate
    )
