"""Every error that trm-edge raises on purpose.

TrmEdgeError
├── ConfigError            a configuration that is incomplete, contradictory or unknown
├── CheckpointError        a weight file that does not fit or cannot be read safely
├── ExportError            a step graph that could not be made or failed its check
├── CalibrationError       ranges that cannot be had from what was given
├── BundleError            a bundle that cannot be written or trusted
│   └── OutputExistsError  something is there already and --force was not given
├── PuzzleError            text that is no puzzle of the task
├── BackendError           an engine that cannot be loaded or run
└── MissingExtraError      a package that an optional extra would bring

CalibrationWarning, a UserWarning, tells of calibration data that gives figures but weak ones.
"""

from __future__ import annotations


class TrmEdgeError(Exception):
    """Base of all errors here; its text says what to do."""


class ConfigError(TrmEdgeError):
    """A configuration is incomplete, contradictory or unknown."""


class CheckpointError(TrmEdgeError):
    """A weight file does not fit its configuration or cannot be read safely."""


class ExportError(TrmEdgeError):
    """A step graph could not be made, or does not compute what the checkpoint computes."""


class CalibrationError(TrmEdgeError):
    """Ranges cannot be had from the puzzles or the checkpoint that were given."""


class CalibrationWarning(UserWarning):
    """Calibration went through, on data that says little."""


class BundleError(TrmEdgeError):
    """A bundle cannot be written, or what is on disk cannot be trusted."""


class OutputExistsError(BundleError):
    """The output is there already and overwriting it was not asked for."""


class PuzzleError(TrmEdgeError):
    """Text that is no puzzle of the task."""


class BackendError(TrmEdgeError):
    """An engine cannot be loaded or run."""


class EngineError(TrmEdgeError):
    """An engine cannot be built, or does not fit what is here."""


class MissingExtraError(TrmEdgeError):
    """A package is missing that an optional extra brings."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package}, which is not installed. "
            f"Install it with: pip install 'trm-edge[{extra}]'"
        )
        self.package = package
        self.extra = extra
