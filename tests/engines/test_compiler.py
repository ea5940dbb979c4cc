from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.engines.fake_tensorrt import fake_tensorrt
from trm_edge.engines.compiler import BuildLog, Compiler, LogLine
from trm_edge.errors import EngineError


def test_the_log_is_kept_by_severity() -> None:
    log = BuildLog()
    assert log.last_errors() == "it logged no error"
    for severity, text in (
        ("info", "fusing"),
        ("warning", "slow"),
        ("error", "1"),
        ("internal_error", "2"),
        ("error", "3"),
        ("error", "4"),
    ):
        log.lines.append(LogLine(severity, text))
    assert log.warnings == ["slow"]
    assert log.errors == ["1", "2", "3", "4"]
    assert log.last_errors() == "2; 3; 4"
    assert str(log).startswith("[info] fusing\n[warning] slow\n")


def test_an_old_tensorrt_is_refused() -> None:
    with pytest.raises(EngineError, match=r"8\.6\.1 is too old.*10\.3"):
        Compiler("tensorrt", fake_tensorrt("8.6.1"))


@pytest.mark.parametrize(("version", "mask"), [("10.3.0", 2), ("11.4.1", 2)])
def test_flags_that_a_version_lacks_are_left_out(version: str, mask: int) -> None:
    compiler = Compiler("tensorrt", fake_tensorrt(version))
    group = "NetworkDefinitionCreationFlag"
    assert compiler.flags(group, "STRONGLY_TYPED", "NOT_IN_ANY_VERSION") == mask


def test_an_unsupported_compute_capability_lists_the_supported_ones() -> None:
    module = fake_tensorrt("10.3.0")
    module.ComputeCapability = SimpleNamespace(SM120=120, SM89=89, CURRENT=0)
    compiler = Compiler("tensorrt-rtx", module)
    assert compiler.capability("8.9") == 89
    with pytest.raises(EngineError, match=r"compute capability 9\.0; it supports SM89, SM120\."):
        compiler.capability("9.0")


def test_only_tensorrt_needs_a_gpu() -> None:
    module = fake_tensorrt("10.3.0")
    assert Compiler("tensorrt", module).needs_gpu
    assert not Compiler("tensorrt-rtx", module).needs_gpu
