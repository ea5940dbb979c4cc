from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.evaluation.samples import MACHINE
from trm_edge.evaluation import machine
from trm_edge.evaluation.machine import Machine, cpu_name

X86 = "processor : 0\ncpu family : 25\nmodel : 17\nmodel name : AMD EPYC 9B14\nflags : fpu avx2\n"
ARM = "processor : 0\nFeatures : fp asimddp i8mm\nCPU implementer : 0x41\nCPU part : 0xd42\n"


def use_cpuinfo(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    (folder / "cpuinfo").write_text(text)
    monkeypatch.setattr(machine, "_CPUINFO", folder / "cpuinfo")
    monkeypatch.setattr(machine, "_BOARD_MODEL", folder / "absent")


def test_an_x86_cpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use_cpuinfo(monkeypatch, tmp_path, X86)
    assert cpu_name() == "AMD EPYC 9B14"
    current = Machine.current()
    assert current.instructions == ("avx2",)
    assert current.design == "cpu family 25 model 17"


def test_an_arm_cpu_has_features_and_no_model_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_cpuinfo(monkeypatch, tmp_path, ARM)
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert cpu_name() == "aarch64"
    current = Machine.current()
    assert current.instructions == ("asimddp", "i8mm")
    assert current.design == "CPU implementer 0x41 CPU part 0xd42"


def test_a_jetson_has_the_name_of_its_board(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_cpuinfo(monkeypatch, tmp_path, ARM)
    (tmp_path / "model").write_bytes(b"NVIDIA Jetson Orin Nano\0")
    monkeypatch.setattr(machine, "_BOARD_MODEL", tmp_path / "model")
    assert cpu_name() == "NVIDIA Jetson Orin Nano"


def test_the_kind_ignores_cores_and_versions() -> None:
    assert MACHINE.same_kind(replace(MACHINE, cores=64, python="3.12.0", onnxruntime="1.40.0"))
    assert not MACHINE.same_kind(replace(MACHINE, instructions=("avx2", "avx_vnni")))
    assert not MACHINE.same_kind(replace(MACHINE, gpus=("NVIDIA L4",)))
    assert MACHINE.kind == "a CPU (avx2; Linux x86_64)"
