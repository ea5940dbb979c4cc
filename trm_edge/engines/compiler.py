"""TensorRT and TensorRT-RTX as one compiler: the module, its log, what it may be asked.

TensorRT 10.3 to 11 and TensorRT-RTX share an API; what only some have is asked for by name.
TensorRT needs a GPU to build on. TensorRT-RTX compiles for a named compute capability, on any
machine, so the same builder is really run where there is no GPU.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal

from trm_edge.errors import EngineError, MissingExtraError

CompilerName = Literal["tensorrt", "tensorrt-rtx"]
_MODULES: dict[CompilerName, tuple[str, str]] = {  # module, extra
    "tensorrt": ("tensorrt", "tensorrt"),
    "tensorrt-rtx": ("tensorrt_rtx", "rtx"),
}
OLDEST = (10, 3)


@dataclass(frozen=True)
class LogLine:
    """One line of the compiler's log."""

    severity: str  # internal_error, error, warning, info, verbose
    text: str


@dataclass
class BuildLog:
    """What the compiler said, in order."""

    lines: list[LogLine] = field(default_factory=list)

    def of(self, *severities: str) -> list[str]:
        return [line.text for line in self.lines if line.severity in severities]

    @property
    def errors(self) -> list[str]:
        return self.of("internal_error", "error")

    @property
    def warnings(self) -> list[str]:
        return self.of("warning")

    def __str__(self) -> str:
        return "".join(f"[{line.severity}] {line.text}\n" for line in self.lines)


class Compiler:
    """A compiler module at work, with a log of what it says.

    Args:
        name: which one.
        module: stands for the installed one, in tests.
    """

    def __init__(self, name: CompilerName, module: Any = None) -> None:
        self.name = name
        self.trt: Any = module if module is not None else _load(name)
        version = _numbers(self.trt.__version__)
        if name == "tensorrt" and version < OLDEST:
            raise EngineError(
                f"TensorRT {self.trt.__version__} is too old: engines are built with "
                f"{'.'.join(map(str, OLDEST))} or newer."
            )
        self.log = BuildLog()
        self.logger = _logger(self.trt, self.log)

    @property
    def version(self) -> str:
        return str(self.trt.__version__)

    @property
    def needs_gpu(self) -> bool:
        return self.name == "tensorrt"

    def capability(self, text: str) -> Any:
        """The compiler's own value for a compute capability like ``"8.9"``.

        Raises:
            EngineError: it has none; lists those that it has.
        """
        wanted = f"SM{text.replace('.', '')}"
        known = [name for name in dir(self.trt.ComputeCapability) if name.startswith("SM")]
        if wanted not in known:
            raise EngineError(
                f"{self.name} {self.version} does not compile for compute capability {text}; it "
                f"has {', '.join(sorted(known, key=len))}."
            )
        return getattr(self.trt.ComputeCapability, wanted)

    def flags(self, group: str, *names: str) -> int:
        """A bit mask of those flags that this version has."""
        enum = getattr(self.trt, group)
        return sum(1 << int(getattr(enum, name)) for name in names if hasattr(enum, name))


def _load(name: CompilerName) -> ModuleType:
    module, extra = _MODULES[name]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(name, extra, "An engine") from error


def _numbers(version: str) -> tuple[int, int]:
    major, minor = [*version.split("."), "0"][:2]
    return int(major), int("".join(filter(str.isdigit, minor)) or 0)


def _logger(trt: Any, log: BuildLog) -> Any:
    class Recorder(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            log.lines.append(LogLine(str(severity).rpartition(".")[2].lower(), message))

    return Recorder()
