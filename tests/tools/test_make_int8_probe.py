from __future__ import annotations

import runpy

import onnx

from tests.tools.scripts import ROOT
from trm_edge.backends.integer_kernels import PROBE


def test_the_shipped_probe_is_what_the_tool_writes() -> None:
    tool = runpy.run_path(str(ROOT / "tools/make_int8_probe.py"))
    assert onnx.load(PROBE) == tool["probe_graph"]()
