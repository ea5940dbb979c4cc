from __future__ import annotations

import pytest

from tests.benchmarks.scripts import extras


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    require_bench_extra = extras().require_bench_extra
    monkeypatch.setattr(extras(), "find_spec", lambda name: None if name == "modelopt" else name)
    require_bench_extra("torch", "onnx")
    with pytest.raises(SystemExit, match=r"needs nvidia-modelopt, .* pip install -e '\.\[bench\]'"):
        require_bench_extra("torch", "modelopt")
