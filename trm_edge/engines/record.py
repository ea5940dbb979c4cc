"""``build.json`` beside an engine: what it was built from, by which compiler and for which GPU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trm_edge import records
from trm_edge.engines.compiler import CompilerName
from trm_edge.engines.driver import Gpu
from trm_edge.errors import EngineError
from trm_edge.files import hash_file

REBUILD = "Build the engine again with: trm-edge build"
FORMAT = records.Format("trm-edge.engine", 1)
KIND = records.RecordKind(FORMAT, "an engine record", EngineError, REBUILD)

# Files beside a step graph.
ENGINE = "step.engine"
RECORD = "build.json"
TIMING_CACHE = "timing.cache"
LOG = "build.log"
LAYERS = "layers.json"  # the inspector's description of every layer
RUNTIME_CACHE = "runtime.cache"  # kernels that TensorRT-RTX compiled on this machine

_SHA256_DIGITS = 64


@dataclass(frozen=True)
class EngineRecord:
    """Everything that decides whether an engine may be loaded, and how it was built.

    Args:
        engine_sha256: of the engine's file.
        engine_size: of the engine's file, in bytes.
        graph_sha256: of the step graph that it computes.
        compiler: the compiler that built it.
        compiler_version: version of the compiler.
        gpu: name of the GPU; empty where it was compiled without one.
        compute_capability: such as ``"8.7"``.
        driver: newest CUDA version that the driver supports; empty where it was compiled without
            a GPU.
        batch: minimum, optimum and maximum number of slots.
        workspace_mb: scratch memory in MiB that the builder could use.
        optimization_level: 0 to 5; None for the compiler's default.
        seconds: duration of the build.
        warnings: what the compiler logged as warnings.
    """

    engine_sha256: str
    engine_size: int
    graph_sha256: str
    compiler: CompilerName
    compiler_version: str
    gpu: str
    compute_capability: str
    driver: str
    batch: tuple[int, int, int]
    workspace_mb: int
    optimization_level: int | None
    seconds: float
    warnings: tuple[str, ...]

    def write(self, path: Path) -> None:
        """Write ``build.json`` whole or not at all.

        Args:
            path: the file.

        Raises:
            OutputError: the file cannot be written.
        """
        records.write(path, self, FORMAT)

    @classmethod
    def read(cls, path: Path) -> EngineRecord:
        """Read ``build.json``.

        Args:
            path: the file.

        Raises:
            EngineError: missing, damaged or of another format.
        """
        missing = f"{path} is missing, so nothing says what the engine was built for. {REBUILD}"
        return records.read(path, cls, KIND, missing=missing)

    def mismatches(
        self, graph: Path, engine: Path, version: str, gpu: Gpu, driver: str
    ) -> list[str]:
        """List the reasons why the engine cannot be loaded on this machine.

        Args:
            graph: the step graph that the engine must compute.
            engine: the engine's file.
            version: of the installed compiler's runtime.
            gpu: this machine's GPU.
            driver: newest CUDA version that this machine's driver supports.

        Returns:
            One clause per difference; empty where the engine fits.

        Raises:
            EngineError: the graph or the engine cannot be read.
        """
        comparisons = [
            ("the step graph", self.graph_sha256, _hash(graph)),
            ("the engine's file", self.engine_sha256, _hash(engine)),
            (f"{self.compiler}'s version", self.compiler_version, version),
            ("the compute capability", self.compute_capability, gpu.compute_capability),
        ]
        if self.gpu:
            comparisons.append(("the GPU", self.gpu, gpu.name))
            comparisons.append(("the driver", self.driver, driver))
        reasons = []
        for subject, recorded, actual in comparisons:
            if recorded != actual:
                reasons.append(f"{subject} was {_short(recorded)} and is now {_short(actual)}")
        return reasons

    def require_match(
        self, graph: Path, engine: Path, version: str, gpu: Gpu, driver: str, command: str
    ) -> None:
        """Refuse an engine that was built from or for something else.

        Args:
            graph: the step graph that the engine must compute.
            engine: the engine's file.
            version: of the installed compiler's runtime.
            gpu: this machine's GPU.
            driver: newest CUDA version that this machine's driver supports.
            command: the command that builds the engine again.

        Raises:
            EngineError: lists every difference, and the command; or a file cannot be read.
        """
        reasons = self.mismatches(graph, engine, version, gpu, driver)
        if reasons:
            raise EngineError(
                f"{engine} does not fit this machine or its step graph: {'; '.join(reasons)}. An "
                f"engine runs only where it was built. Build it again with: {command}"
            )


def _hash(path: Path) -> str:
    try:
        return hash_file(path)
    except OSError as error:
        raise EngineError(f"{path} cannot be read: {error.strerror or error}. {REBUILD}") from error


def _short(text: str) -> str:
    if len(text) == _SHA256_DIGITS:
        return f"{text[:12]}…"
    return text
