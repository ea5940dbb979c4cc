"""Memory and CPU time of a process and what it has started."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.benchmarks.scripts import process_tree

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

# A child that has a child, which holds 64 MB and has worked for .3 s; both wait for their input.
_GRANDCHILD = """
import sys, time
content = b"x" * (64 << 20)
while time.process_time() < 0.3:
    pass
print("ready", flush=True)
sys.stdin.read()
"""
_CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], check=True)"


def test_descendants_count_with_their_memory_and_time() -> None:
    command = [sys.executable, "-c", _CHILD, _GRANDCHILD]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        uses = {use.pid: use for use in process_tree().process_tree(os.getpid())}
        of_child = process_tree().process_tree(child.pid)
        child.communicate()
    assert {os.getpid(), child.pid} <= uses.keys()
    (grandchild,) = [use for use in of_child if use.pid != child.pid]
    assert grandchild.pid in uses
    assert grandchild.title.endswith("sys.stdin.read()")
    assert 64e6 < grandchild.own_bytes < 128e6
    assert grandchild.cpu_seconds >= 0.25
    assert uses[child.pid].own_bytes < 64e6


def test_a_process_that_has_ended_is_left_out() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert process_tree().process_tree(child.pid) == []
