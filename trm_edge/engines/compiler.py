"""TensorRT and TensorRT-RTX as one compiler: the module, its log and its version differences.

TensorRT 10.3 to 11 and TensorRT-RTX share an API; whatever only some versions have is looked up by
name. TensorRT needs a GPU to build on. TensorRT-RTX compiles for a named compute capability on any
machine, so the same builder code also runs where there is no GPU.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal

from trm_edge.errors import EngineError, MissingExtraError

CompilerName = Literal["tensorrt", "tensorrt-rtx"]
# What TensorRT-RTX 1.7 compiles for. Where it is installed, it is asked itself.
RTX_CAPABILITIES = ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")
# The one of them to check a graph with that is meant for another compute capability.
_RTX_STAND_INS = {"8.7": "8.0", "9.0": "8.9", "10.0": "12.0", "10.3": "12.0", "11.0": "12.0"}
OLDEST = (10, 3)  # TensorRT's oldest supported version
_MODULES: dict[CompilerName, tuple[str, str]] = {  # module, extra
    "tensorrt": ("tensorrt", "tensorrt"),
    "tensorrt-rtx": ("tensorrt_rtx", "rtx"),
}


@dataclass(frozen=True)
class LogLine:
    """One line of the compiler's log.

    Args:
        severity: ``internal_error``, ``error``, ``warning``, ``info`` or ``verbose``.
        text: the message.
    """

    severity: str
    text: str


@dataclass
class BuildLog:
    """The compiler's log messages.

    Args:
        lines: the messages in the order in which they were logged.
    """

    lines: list[LogLine] = field(default_factory=list)

    def of(self, *severities: str) -> list[str]:
        """List the messages of some severities.

        Args:
            severities: those of :class:`LogLine`.
        """
        return [line.text for line in self.lines if line.severity in severities]

    @property
    def errors(self) -> list[str]:
        """The errors, internal ones included."""
        return self.of("internal_error", "error")

    @property
    def warnings(self) -> list[str]:
        """The warnings."""
        return self.of("warning")

    def last_errors(self) -> str:
        """Join the last three errors into one line for an error message."""
        return "; ".join(self.errors[-3:]) or "it logged no error"

    def __str__(self) -> str:
        return "".join(f"[{line.severity}] {line.text}\n" for line in self.lines)


class Compiler:
    """An imported compiler module with a log of its messages.

    Args:
        name: the compiler to import.
        module: replaces the installed module in tests.

    Raises:
        MissingExtraError: the compiler is not installed.
        EngineError: the installed TensorRT is too old.
    """

    def __init__(self, name: CompilerName, module: Any = None) -> None:
        self.name = name
        self.trt: Any = _load(name) if module is None else module
        version = _numbers(self.trt.__version__)
        if name == "tensorrt" and version < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise EngineError(
                f"TensorRT {self.trt.__version__} is too old: building an engine needs {oldest} or "
                "newer."
            )
        self.log = BuildLog()
        self.logger = _logger(self.trt, self.log)

    @property
    def version(self) -> str:
        """Version of the compiler module."""
        return str(self.trt.__version__)

    @property
    def needs_gpu(self) -> bool:
        """True where the compiler builds only on a machine with a GPU."""
        return self.name == "tensorrt"

    def capability(self, text: str) -> Any:
        """Look up the compiler's enum value of a compute capability.

        Args:
            text: such as ``"8.9"``.

        Raises:
            EngineError: the compiler does not support it; lists those that it supports.
        """
        member = f"SM{text.replace('.', '')}"
        known = [name for name in dir(self.trt.ComputeCapability) if name.startswith("SM")]
        if member not in known:
            raise EngineError(
                f"{self.name} {self.version} does not compile for compute capability {text}; it "
                f"supports {', '.join(sorted(known, key=len))}. TensorRT does, on the device. To "
                f"check here that the graph compiles: {rtx_check(text)}"
            )
        return getattr(self.trt.ComputeCapability, member)

    def flags(self, group: str, *names: str) -> int:
        """Make a bit mask of the flags that this version has; the others are left out.

        Args:
            group: name of the enum in the module.
            names: members of the enum.
        """
        enum = getattr(self.trt, group)
        mask = 0
        for name in names:
            if hasattr(enum, name):
                mask |= 1 << int(getattr(enum, name))
        return mask


def rtx_check(capability: str) -> str:
    """Write the options of ``trm-edge build`` that check a graph where TensorRT is not.

    Args:
        capability: the compute capability that the graph is meant for, such as ``"8.7"``.
    """
    stand_in = capability
    if capability not in RTX_CAPABILITIES:
        stand_in = _RTX_STAND_INS.get(capability, "8.0")
    return f"--compiler tensorrt-rtx --compute-capability {stand_in}"


def _load(name: CompilerName) -> ModuleType:
    module, extra = _MODULES[name]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(name, extra, "An engine") from error


def _numbers(version: str) -> tuple[int, int]:
    major, minor = [*version.split("."), "0"][:2]
    digits = "".join(filter(str.isdigit, minor))
    return int(major), int(digits or 0)


def _logger(trt: Any, log: BuildLog) -> Any:
    class Recorder(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:  # called by TensorRT
            name = str(severity).rpartition(".")[2].lower()
            log.lines.append(LogLine(name, message))

    return Recorder()
