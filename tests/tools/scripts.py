"""How tests run what is in tools/."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(code: str, tmp_path: Path) -> str:
    """Run in a process of its own: the tools are scripts, and numba compiles for seconds."""
    path = os.pathsep.join([str(ROOT / "tools"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
