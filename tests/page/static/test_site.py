"""The files of a site: what is damaged or packed otherwise than expected."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import Any

from tests.page.node import run_script

SCRIPT = """
const { Site } = await load("site.js");
const files = new Map(Object.entries(data));
const read = async (path) => Uint8Array.from(files.get(path));
try {
  const site = await Site.open(read);
  return [...await site.graph("cpu"), ...await site.file("runtime/x.gz"), site.model.seq_len];
} catch (error) {
  return error.message;
}
"""
GRAPH = b"a step graph"
RUNTIME = b"a runtime"


def record(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def site(**changes: bytes) -> dict[str, list[int]]:
    """The files of a site; ``changes`` replaces some, ``_`` for what is no letter."""
    manifest = {
        "format": "trm-edge.bundle/1",
        "model": {"seq_len": 81},
        "files": {"cpu/step.onnx": record(GRAPH)},
    }
    bundle = json.dumps(manifest).encode()
    content = {
        "format": "trm-edge.page/1",
        "graphs": [{"name": "cpu", "step": "cpu/step.onnx", "path": "bundle/cpu/step.onnx.gz"}],
        "files": {"bundle/manifest.json": record(bundle), "runtime/x.gz": record(RUNTIME)},
    }
    files = {
        "site.json": json.dumps(content).encode(),
        "bundle/manifest.json": bundle,
        "bundle/cpu/step.onnx.gz": gzip.compress(GRAPH),
        "runtime/x.gz": gzip.compress(RUNTIME),
    }
    for name in list(files):
        key = "".join(letter if letter.isalpha() else "_" for letter in name)
        files[name] = changes.get(key, files[name])
    return {name: list(content) for name, content in files.items()}


def test_files_are_unpacked_and_checked() -> None:
    assert run_script(SCRIPT, site()) == [*GRAPH, *RUNTIME, 81]


def test_a_host_may_unpack_files_on_the_way() -> None:
    assert run_script(SCRIPT, site(bundle_cpu_step_onnx_gz=GRAPH)) == [*GRAPH, *RUNTIME, 81]


def test_a_changed_graph_is_refused() -> None:
    message = run_script(SCRIPT, site(bundle_cpu_step_onnx_gz=gzip.compress(b"another graph")))
    assert message.startswith("cpu/step.onnx is damaged or of another version: expected 12 bytes ")
    assert "but got 13 bytes" in message
    assert message.endswith("upload the whole site again.")


def test_a_graph_of_the_same_size_is_refused() -> None:
    message = run_script(SCRIPT, site(bundle_cpu_step_onnx_gz=b"a step grapH"))
    assert message.startswith("cpu/step.onnx is damaged")


def test_a_changed_manifest_is_refused() -> None:
    """Otherwise it could have the hash of any graph."""
    message = run_script(SCRIPT, site(bundle_manifest_json=b'{"format":"trm-edge.bundle/1"}'))
    assert message.startswith("bundle/manifest.json is damaged")


def test_a_changed_runtime_is_refused() -> None:
    message = run_script(SCRIPT, site(runtime_x_gz=gzip.compress(b"another")))
    assert message.startswith("runtime/x.gz is damaged")


def test_another_format_is_refused() -> None:
    message = run_script(SCRIPT, site(site_json=b'{"format":"trm-edge.page/2"}'))
    assert message == "site.json must have the format trm-edge.page/1, but has trm-edge.page/2."
