"""The building half of ``tensorrt`` 10.3 and 11: each has what its version has, and nothing else.

No class has an attribute that its version lacks, and objects refuse attributes that are not
declared, so code that relies on the other version fails as it would on a device.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx


class _Strict:
    """Only the attributes that ``settable`` lists can be set."""

    settable: tuple[str, ...] = ()

    def __setattr__(self, name: str, value: object) -> None:
        if not name.startswith("_") and name not in self.settable:
            raise AttributeError(f"{type(self).__name__} has no attribute {name}")
        super().__setattr__(name, value)


class FakeModule(SimpleNamespace):
    """The module, and the calls that it received (``calls``)."""

    calls: dict[str, Any]


def fake_tensorrt(
    version: str,
    *,
    fails: str = "",
    logs: Callable[[Any, Any], None] = lambda logger, severity: None,
    cache_of: bytes = b"this device",
) -> FakeModule:
    """Make a module of a version.

    Args:
        version: such as ``"10.3.0"``.
        fails: ``parse`` or ``build``: the step that fails, with an error in the log.
        logs: called with the logger and the severities while the network is compiled.
        cache_of: how a timing cache of this device begins.
    """
    old = version.startswith("10.")
    calls: dict[str, Any] = {"shapes": {}, "flags_cleared": []}

    class Severity(enum.Enum):
        INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)

    class ILogger:
        def __init__(self) -> None:
            self.began = True

    class NetworkDefinitionCreationFlag(enum.IntEnum):
        EXPLICIT_BATCH = 0
        STRONGLY_TYPED = 1

    class NewNetworkFlag(enum.IntEnum):
        STRONGLY_TYPED = 1

    class OldBuilderFlag(enum.IntEnum):
        FP16 = 0
        INT8 = 1
        TF32 = 7

    class NewBuilderFlag(enum.IntEnum):
        TF32 = 7

    class MemoryPoolType(enum.IntEnum):
        WORKSPACE = 0

    class ProfilingVerbosity(enum.IntEnum):
        LAYER_NAMES_ONLY, NONE, DETAILED = range(3)

    class OptimizationProfile(_Strict):
        def set_shape(self, name: str, low: Any, usual: Any, high: Any) -> None:
            calls["shapes"][name] = (low, usual, high)

    class TimingCache(_Strict):
        def __init__(self, content: bytes) -> None:
            self._content = content

        def serialize(self) -> memoryview:
            return memoryview(self._content + b"|measured")

    class BuilderConfig(_Strict):
        settable = ("profiling_verbosity", "builder_optimization_level")

        def set_memory_pool_limit(self, pool: MemoryPoolType, size: int) -> None:
            calls["workspace"] = size

        def clear_flag(self, flag: Any) -> None:
            calls["flags_cleared"].append(flag.name)

        def create_timing_cache(self, content: bytes) -> TimingCache:
            return TimingCache(content)

        def set_timing_cache(self, cache: TimingCache, ignore_mismatch: bool) -> bool:
            assert not ignore_mismatch
            fits = not cache._content or cache._content.startswith(cache_of)
            if fits:
                calls["timing_cache"] = cache._content
            return fits

        def add_optimization_profile(self, profile: OptimizationProfile) -> int:
            calls["profile"] = profile
            return 0

    class Network(_Strict):
        pass

    class OnnxParser(_Strict):
        def __init__(self, network: Network, logger: ILogger) -> None:
            self._logger = logger

        def parse_from_file(self, path: str) -> bool:
            calls["graph"] = onnx.load(Path(path))
            return fails != "parse"

        @property
        def num_errors(self) -> int:
            return 1 if fails == "parse" else 0

        def get_error(self, index: int) -> str:
            return "no importer for the operator Swish"

    class Builder(_Strict):
        def __init__(self, logger: Any) -> None:
            assert logger.began, "ILogger.__init__ was not called"
            self._logger = logger

        def create_network(self, flags: int = 0) -> Network:
            calls["network_flags"] = flags
            return Network()

        def create_builder_config(self) -> BuilderConfig:
            return BuilderConfig()

        def create_optimization_profile(self) -> OptimizationProfile:
            return OptimizationProfile()

        def build_serialized_network(
            self, network: Network, config: BuilderConfig
        ) -> memoryview | None:
            logs(self._logger, Severity)
            if fails == "build":
                self._logger.log(Severity.ERROR, "could not find any implementation")
                return None
            return memoryview(b"engine of " + version.encode())

    class LayerInformationFormat(enum.Enum):
        ONELINE, JSON = range(2)

    class Inspector(_Strict):
        def get_engine_information(self, layout: LayerInformationFormat) -> str:
            assert layout is LayerInformationFormat.JSON
            return json.dumps({"Layers": [], "Bindings" if old else "I/O Tensors": []})

    class Engine(_Strict):
        def create_engine_inspector(self) -> Inspector:
            return Inspector()

    class Runtime(_Strict):
        def __init__(self, logger: Any) -> None:
            assert logger.began

        def deserialize_cuda_engine(self, content: bytes) -> Engine | None:
            return Engine() if content.startswith(b"engine of") else None

    return FakeModule(
        LayerInformationFormat=LayerInformationFormat,
        Runtime=Runtime,
        __version__=version,
        calls=calls,
        ILogger=ILogger,
        Builder=Builder,
        OnnxParser=OnnxParser,
        MemoryPoolType=MemoryPoolType,
        ProfilingVerbosity=ProfilingVerbosity,
        BuilderFlag=OldBuilderFlag if old else NewBuilderFlag,
        NetworkDefinitionCreationFlag=NetworkDefinitionCreationFlag if old else NewNetworkFlag,
    )
