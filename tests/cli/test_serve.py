"""``trm-edge serve`` as a process."""

from __future__ import annotations

import dataclasses
import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.commands import LINE, failed, run
from trm_edge.cli.serve import command
from trm_edge.serve import extra
from trm_edge.serve.limits import Limits

for module in extra.PACKAGES:
    pytest.importorskip(module, reason="needs pip install 'trm-edge[serve]'")


@contextmanager
def serving(bundle: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server in a process of its own, and its address."""
    program = [sys.executable, "-m", "trm_edge", "serve", str(bundle), "--port", "0", *options]
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            lines = []
            for line in process.stderr:
                lines.append(line)
                address = re.search(r"on (http://\S+:\d+);", line)
                if address is not None:
                    yield process, address[1]
                    break
            else:
                pytest.fail("".join(lines))
        finally:
            process.kill()


def solved(address: str) -> dict[str, object]:
    request = urllib.request.Request(
        f"{address}/solve",
        json.dumps({"puzzles": [LINE]}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        (answer,) = json.load(response)["answers"]
    result: dict[str, object] = answer
    return result


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_solves_what_solve_solves_and_stops_with_0(number: int, toy_bundle: Path) -> None:
    expected = json.loads(run("solve", toy_bundle, "-", "--format", "json", stdin=LINE).stdout)
    with serving(toy_bundle, "--threads", "1") as (process, address):
        assert address.startswith("http://127.0.0.1:")
        answer = solved(address)
        process.send_signal(number)
        assert process.wait(60) == 0
    assert answer["answer"] == expected["answer"]
    assert answer["steps"] == expected["steps"]


def test_an_address_for_others_is_warned_about(toy_bundle: Path) -> None:
    program = [sys.executable, "-m", "trm_edge", "serve", str(toy_bundle), "--host", "0.0.0.0"]
    with subprocess.Popen([*program, "--port", "0"], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "Put authentication in front of it." in process.stderr.readline()
        process.kill()


def test_the_defaults_are_those_of_python() -> None:
    defaults = {parameter.name: parameter.default for parameter in command.params}
    names = {
        "queue": "queue",
        "puzzles": "max_puzzles",
        "body_bytes": "max_body_bytes",
        "seconds": "max_seconds",
        "rollouts": "max_rollouts",
        "grace_seconds": "grace_seconds",
    }
    for field in dataclasses.fields(Limits):
        assert defaults[names[field.name]] == field.default, field.name


def test_misuse_is_a_sentence(toy_bundle: Path, tmp_path: Path) -> None:
    failed(run("serve", tmp_path), "is not a bundle")
    failed(run("serve", toy_bundle, "--target", "l4"), "has no target 'l4'")
    failed(run("serve", toy_bundle, "--queue", 5), "Let more wait (--queue)")
    failed(run("serve", toy_bundle, "--host", "256.0.0.1"), "cannot listen on 256.0.0.1")
    failed(run("serve", toy_bundle, "--port", 70_000), code=2)
    failed(run("serve", toy_bundle, "--max-seconds", "1e-9"), "shorter than one step")


def test_the_extra_is_named_where_it_is_missing(
    toy_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finder = lambda name: None if name == "uvicorn" else object()  # noqa: E731
    monkeypatch.setattr("trm_edge.requirements.find_spec", finder)
    failed(run("serve", toy_bundle), "uvicorn", "pip install 'trm-edge[serve]'")


def test_replicas_need_ray(toy_bundle: Path) -> None:
    failed(
        run("serve", toy_bundle, "--replicas", 2),
        "--replicas belongs to a server with Ray: add --ray",
        code=2,
    )


def test_what_can_be_refused_does_not_wait_for_ray(toy_bundle: Path) -> None:
    pytest.importorskip("ray.serve", reason="needs pip install 'trm-edge[ray-serve]'")
    failed(run("serve", toy_bundle, "--ray", "--target", "l4", "--port", 0), "has no target 'l4'")


def test_the_extra_of_ray_serve_is_named_where_it_is_missing(
    toy_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finder = lambda name: None if name == "fastapi" else object()  # noqa: E731
    monkeypatch.setattr("trm_edge.requirements.find_spec", finder)
    result = run("serve", toy_bundle, "--ray", "--port", 0)
    failed(result, "ray[serve]", "pip install 'trm-edge[ray-serve]'")
