"""Every error that trm-edge raises on purpose, and its one warning.

TrmEdgeError
├── ConfigError            a configuration is incomplete, contradictory or unknown
├── CheckpointError        a weight file does not fit its configuration or is unsafe to read
├── ExportError            a step graph cannot be made or fails its check
├── CalibrationError       quantization ranges cannot be measured or read
├── TrainingError          a checkpoint cannot be trained, or its run not be continued
├── BundleError            a bundle is incomplete, damaged or does not have what is needed
├── RecordError            a baseline, benchmark or report cannot be read
├── OutputError            an output cannot be written
│   └── OutputExistsError  the output exists and overwriting it was not asked for
├── PuzzleError            text or data is not a puzzle of the task
├── BackendError           a step graph or engine cannot be loaded or run
├── CancelledError         another thread has cancelled the solver's work
├── EngineError            an engine cannot be built or does not fit this machine
└── MissingExtraError      a package of an optional extra is not installed

UserWarning
└── CalibrationWarning     calibration succeeded on data that says little
"""

from __future__ import annotations

from trm_edge.printable import printable, shortened


class TrmEdgeError(Exception):
    """Base class of all errors of trm-edge; the message says what to do.

    Names from files may be part of the message, so it is made safe to print and cut to a screen.

    Args:
        message: a sentence, or several.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(shortened(message), lines=True))


class ConfigError(TrmEdgeError):
    """A configuration is incomplete, contradictory or unknown."""


class CheckpointError(TrmEdgeError):
    """A weight file does not fit its configuration, or reading it is not safe."""


class ExportError(TrmEdgeError):
    """A step graph cannot be made, or does not compute what the checkpoint computes."""


class CalibrationError(TrmEdgeError):
    """Quantization ranges cannot be measured from these puzzles, or cannot be read."""


class TrainingError(TrmEdgeError):
    """A checkpoint cannot be trained on these tasks, or a run cannot be continued."""


class CalibrationWarning(UserWarning):
    """Calibration succeeded, but on data that says little about the model's activations."""


class BundleError(TrmEdgeError):
    """A bundle is incomplete, damaged, too new, or does not have what was asked for."""


class RecordError(TrmEdgeError):
    """A baseline, benchmark file or report cannot be read, or does not fit this use."""


class OutputError(TrmEdgeError):
    """An output cannot be written."""


class OutputExistsError(OutputError):
    """The output exists, and overwriting it was not asked for."""


class PuzzleError(TrmEdgeError):
    """Text or data is not a puzzle of the task or does not fit the model."""


class BackendError(TrmEdgeError):
    """A step graph or engine cannot be loaded or run."""


class CancelledError(TrmEdgeError):
    """Another thread has cancelled what a solver was working on; the solver can be used again."""


class EngineError(TrmEdgeError):
    """An engine cannot be built, or does not fit this machine."""


class MissingExtraError(TrmEdgeError):
    """A package of an optional extra is not installed.

    Args:
        package: name of the missing package.
        extra: the extra of trm-edge that installs it.
        purpose: the feature that needs it; begins the message.
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package}, which is not installed. "
            f"Install it with: pip install 'trm-edge[{extra}]'"
        )
        self.package = package
        self.extra = extra
