"""How tests run what is in tools/."""

from __future__ import annotations

import io
import linecache
import os
import sys
import warnings
from contextlib import redirect_stdout
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]
TOOLS = str(ROOT / "tools")


def run(code: str, tmp_path: Path) -> str:
    """Run a program that imports the tools as scripts do, and return what it prints.

    It runs in this process, because PyTorch is imported and numba compiles for seconds.

    Args:
        code: the program.
        tmp_path: its working directory.
    """
    if TOOLS not in sys.path:
        sys.path.append(TOOLS)
    name = f"<program of {tmp_path.name}>"
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)  # tracebacks
    threads = torch.get_num_threads()
    folder = Path.cwd()
    output = io.StringIO()
    os.chdir(tmp_path)
    try:
        with redirect_stdout(output), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(code, name, "exec"), {"__name__": "__main__"})
    finally:
        os.chdir(folder)
        torch.set_num_threads(threads)
    return output.getvalue()
