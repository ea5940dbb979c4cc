"""Run the scripts of a page under Node.js."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

STATIC = Path(__file__).parents[2] / "trm_edge" / "page" / "static"
_OLDEST = 18
_SECONDS = 600


def find_node() -> str:
    """Return Node's path; without one the test is skipped, or fails where CI asks for it."""
    path = shutil.which("node")
    if path is not None:
        version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
        if int(version.stdout.strip().lstrip("v").partition(".")[0]) >= _OLDEST:
            return path
    reason = f"needs Node.js {_OLDEST} or newer (apt-get install nodejs)"
    if os.environ.get("CI") or os.environ.get("TRM_EDGE_REQUIRE_NODE"):
        pytest.fail(reason)
    pytest.skip(reason)


def run_script(body: str, data: Any = None, folder: Path = STATIC) -> Any:
    """Run a script and return the value that it ends with.

    Args:
        body: of an async function of ``data`` and ``load``, which imports a module of the folder.
        data: anything that JSON has a form for.
        folder: of the modules.
    """
    script = (
        "import fs from 'node:fs';"
        f"const folder = {json.dumps(folder.as_uri() + '/')};"
        "const load = (name) => import(new URL(name, folder));"
        "const data = JSON.parse(fs.readFileSync(0, 'utf8'));"
        f"const run = async () => {{ {body} }};"
        "console.log(JSON.stringify(await run() ?? null));"
    )
    process = subprocess.run(
        [find_node(), "--input-type=module", "--eval", script],
        input=json.dumps(data),
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    return json.loads(process.stdout)
