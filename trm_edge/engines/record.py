"""``build.json`` beside an engine: what it was built from, by what and for what."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from trm_edge.engines.compiler import CompilerName
from trm_edge.engines.driver import Gpu
from trm_edge.errors import EngineError
from trm_edge.files import hash_file

FORMAT = "trm-edge.engine/1"
ENGINE, RECORD, TIMING_CACHE, LOG = "step.engine", "build.json", "timing.cache", "build.log"
LAYERS = "layers.json"  # what the inspector says
RUNTIME_CACHE = "runtime.cache"  # kernels that TensorRT-RTX compiled on this machine


@dataclass(frozen=True)
class EngineRecord:
    """Everything that decides whether an engine may be loaded, and how it came to be."""

    engine_sha256: str
    engine_size: int  # bytes
    graph_sha256: str
    compiler: CompilerName
    compiler_version: str
    gpu: str  # name; empty where it was compiled without one
    compute_capability: str
    driver: str  # version of CUDA that it supports; empty without a GPU
    batch: tuple[int, int, int]  # least, usual and most slots
    workspace_mb: int
    optimization_level: int | None
    seconds: float
    warnings: tuple[str, ...]

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def read(cls, path: Path) -> EngineRecord:
        """Read ``build.json``.

        Raises:
            EngineError: missing, damaged or of another format.
        """
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise EngineError(
                f"{path} is missing: nothing tells what the engine was built for. Build it again "
                "with: trm-edge build"
            ) from error
        except (OSError, ValueError) as error:
            raise EngineError(f"{path} cannot be read: {error}. Build the engine again.") from error
        names = {field.name for field in fields(cls)}
        if (
            not isinstance(raw, dict)
            or raw.get("format") != FORMAT
            or set(raw) - names != {"format"}
        ):
            raise EngineError(f"{path} is no {FORMAT} record. Build the engine again.")
        missing = sorted(names - set(raw))
        if missing:
            raise EngineError(f"{path} lacks {', '.join(missing)}. Build the engine again.")
        values: dict[str, Any] = {
            name: tuple(raw[name]) if isinstance(raw[name], list) else raw[name] for name in names
        }
        return cls(**values)

    def mismatches(
        self, graph: Path, engine: Path, version: str, gpu: Gpu, driver: str
    ) -> list[str]:
        """Why the engine cannot be loaded here, one reason a line; empty where it can.

        Args:
            graph: the step graph that the engine shall compute.
            version: of the compiler's runtime that is installed.
            driver: what :func:`~trm_edge.engines.driver.probe` says.
        """
        found = [
            ("the step graph", self.graph_sha256, hash_file(graph)),
            ("the engine's file", self.engine_sha256, hash_file(engine)),
            (f"{self.compiler}'s version", self.compiler_version, version),
            ("the compute capability", self.compute_capability, gpu.compute_capability),
        ]
        if self.gpu:
            found += [("the GPU", self.gpu, gpu.name), ("the driver", self.driver, driver)]
        return [
            f"{what} was {_short(built)} and is {_short(here)}"
            for what, built, here in found
            if built != here
        ]

    def require_match(
        self, graph: Path, engine: Path, version: str, gpu: Gpu, driver: str, again: str
    ) -> None:
        """Refuse an engine that was built from or for something else.

        Args:
            again: the command that builds it again.

        Raises:
            EngineError: lists every difference, and the command.
        """
        reasons = self.mismatches(graph, engine, version, gpu, driver)
        if reasons:
            raise EngineError(
                f"{engine} does not fit: {'; '.join(reasons)}. An engine is built where it runs. "
                f"Build it again with: {again}"
            )


def _short(text: str) -> str:
    return f"{text[:12]}…" if len(text) == 64 else text
