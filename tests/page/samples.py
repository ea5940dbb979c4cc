"""Bundles and runtimes for the tests of the page."""

from __future__ import annotations

import json
import tarfile
from io import BytesIO
from pathlib import Path

from trm_edge.files import hash_file
from trm_edge.page.runtime import BINARY, SCRIPT, Runtime

RUNTIME = Runtime("1.2.3", b"export default 1;", b"\0asm" * 100)
FILES = {SCRIPT: b"/*! ONNX Runtime Web v9.8.7 */", BINARY: b"\0asm of another version"}


def write_archive(path: Path, files: dict[str, bytes], folder: str = "package/dist") -> Path:
    """Write an archive as npm does."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            archive.addfile(member, BytesIO(content))
    return path


def with_float32(bundle: Path) -> Path:
    """Give a bundle, in place, a float32 graph beside that of its target."""
    graph = bundle / "float32" / "step.onnx"
    graph.parent.mkdir()
    graph.write_bytes(b"float32 " * 100)
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["float32"] = "float32/step.onnx"
    size = graph.stat().st_size
    manifest["files"]["float32/step.onnx"] = {"sha256": hash_file(graph), "size": size}
    path.write_text(json.dumps(manifest))
    return bundle
