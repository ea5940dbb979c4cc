"""The load test of the server: it counts every request, and fails where one is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="needs the bench extra: pip install -e '.[bench]'")
pytest.importorskip("starlette", reason="needs the bench extra: pip install -e '.[bench]'")
pytest.importorskip("uvicorn", reason="needs the bench extra: pip install -e '.[bench]'")

import click

from tests.benchmarks.scripts import FOLDER, http_load, serve


def test_every_request_is_accounted_for(old_bundles: Path, tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("<!-- table serve -->\n<!-- end -->\n")
    command = [sys.executable, str(FOLDER / "serve.py"), str(old_bundles / "toy-fp32")]
    options = ["--seconds", "0.2", "--output", str(tmp_path), "--update", str(document)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "serve.json").read_text())
    shares = [row["share"] for row in report["rows"]]
    assert shares == [None, *http_load().SHARES]
    assert report["solved_by_client"] == report["solved_by_server"] > 0
    for row in report["rows"]:
        assert row["offered"] == row["solved"] + row["refused"]
        assert (row["lost"], row["other"]) == (0, 0)
    assert document.read_text().count("| as fast as answered |") == 1


@pytest.mark.parametrize(
    ("row", "counted", "sentence"),
    [
        ({"lost": 1}, 5, "1 were lost"),
        ({"other": 2}, 5, "2 got another status"),
        ({}, 4, "the server counts 4 solved requests, but the client 5"),
    ],
)
def test_losses_fail(row: dict[str, Any], counted: int, sentence: str) -> None:
    whole = {"lost": 0, "other": 0, "offered_rate": 10.0, **row}
    report = {"rows": [whole], "solved_by_client": 5, "solved_by_server": counted}
    with pytest.raises(click.ClickException, match=sentence):
        serve().check(report)
