"""Writes the static site of a bundle."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

import numpy as np

from trm_edge.bundle import MANIFEST, Bundle
from trm_edge.folder_writer import FolderWriter
from trm_edge.manifest import FileRecord
from trm_edge.page.arc_examples import ArcExamples, arc_examples
from trm_edge.page.content import FORMAT, Graph, graphs_of, site_content, task_of
from trm_edge.page.runtime import Runtime
from trm_edge.tasks.arc import ArcAgiTask

CONTENT = "site.json"
_MANIFEST = f"bundle/{MANIFEST}"
_RUNTIME_SCRIPT = "runtime/onnxruntime.js"
_RUNTIME_BINARY = "runtime/onnxruntime.wasm.gz"
_ROWS = "examples/puzzle_embeddings.bin.gz"  # float32 rows, as the scripts read them
_ARC_TASKS = "examples/tasks.json.gz"
_PAGE = "index.html"
_SERVICE_WORKER = "service-worker.js"  # at the top: it serves what lies below it
_SHARED = ("page.css", "player.js")  # with the report
_UNUSED = ("package.json",)  # for Node alone
_TITLES = {"sudoku": "Sudoku", "nano-sudoku": "Sudoku", "maze": "Mazes", "arc": "ARC grids"}


class SiteWriter(FolderWriter):
    """Collects the files of a site in a hidden folder and puts it in place at the end.

    Args:
        output: folder that will be the site.
        force: replace a site or an empty folder that is there.
    """

    @staticmethod
    def is_replaceable(folder: Path) -> bool:
        """Tell whether a folder is a site.

        Args:
            folder: that is there; neither empty nor a link.
        """
        try:
            content = json.loads((folder / CONTENT).read_bytes())
        except (OSError, ValueError):
            return False
        return isinstance(content, dict) and content.get("format") == FORMAT

    @staticmethod
    def noun() -> str:
        """Return what the output is, with its article."""
        return "a page of trm-edge"


@dataclass(frozen=True)
class SiteSize:
    """Bytes of a site as a browser fetches them, whether its host compresses files or not.

    Args:
        first: of everything that the first answer needs.
        float32: of the graph that is fetched for a comparison with float32; 0 where there is none.
    """

    first: int
    float32: int


def write_site(
    bundle: Bundle,
    runtime: Runtime,
    output: Path,
    *,
    title: str | None = None,
    force: bool = False,
    arc: ArcExamples | None = None,
) -> SiteSize:
    """Write a site that solves with a bundle's own step graph.

    Args:
        bundle: the bundle, with a target ``cpu`` and one of the tasks that a page has.
        runtime: runs the graph.
        output: folder that will be the site.
        title: heading of the page; names the task by default.
        force: replace a site that is there.
        arc: the tasks of a page of ARC grids; the bundle's held-out puzzles by default.

    Returns:
        The bytes that a browser fetches.

    Raises:
        BundleError: the bundle has no target that a browser runs, or is damaged.
        ConfigError: the bundle's task is none that a page has.
        PuzzleError: the bundle's held-out puzzles are of tasks that it has no row for.
        OutputExistsError: the output exists and ``force`` is not set, or it is not a site.
        OutputError: the site cannot be written.
    """
    graphs = graphs_of(bundle)
    task = task_of(bundle)
    if title is None:
        title = f"{_TITLES[task.name]}, solved on your device"
    if isinstance(task, ArcAgiTask) and arc is None:
        arc = arc_examples(bundle)
    with SiteWriter(output, force=force) as writer:
        files = _write_runtime(writer, runtime)
        manifest = bundle.manifest.to_json().encode()
        files[_MANIFEST] = _write(writer, _MANIFEST, manifest)
        files.update(_write_rows(writer, bundle, arc))
        graphs = tuple(_write_graph(writer, bundle, graph) for graph in graphs)
        download = (writer.folder / _RUNTIME_BINARY).stat().st_size + graphs[0].size
        content = site_content(bundle, graphs, files, runtime.version, download)
        _write(writer, CONTENT, json.dumps(content, separators=(",", ":")).encode())
        texts = {"title": title, "parameters": f"{bundle.manifest.checkpoint.parameters:,}"}
        _write_assets(writer, texts)
        _write_service_worker(writer, [graph.path for graph in graphs])
        size = _size(writer.folder, graphs)
        writer.install()
    return size


def _write_runtime(writer: SiteWriter, runtime: Runtime) -> dict[str, FileRecord]:
    """Write ONNX Runtime Web; returns the records of what the scripts check."""
    _write(writer, _RUNTIME_SCRIPT, runtime.script)
    _write(writer, _RUNTIME_BINARY, _packed(runtime.binary))
    return {_RUNTIME_BINARY: _record(runtime.binary)}


def _write_graph(writer: SiteWriter, bundle: Bundle, graph: Graph) -> Graph:
    packed = _packed(bundle.read(graph.step))
    _write(writer, graph.path, packed)
    return replace(graph, size=len(packed))


def _write_rows(
    writer: SiteWriter, bundle: Bundle, arc: ArcExamples | None
) -> dict[str, FileRecord]:
    """Write the rows of the puzzle-embedding table that the page needs, and its ARC tasks.

    Returns:
        The records of both files, where the page has them.
    """
    records = {}
    if arc is not None:
        tasks = json.dumps(arc.tasks, separators=(",", ":")).encode()
        _write(writer, _ARC_TASKS, _packed(tasks))
        records[_ARC_TASKS] = _record(tasks)
    table = bundle.puzzle_embeddings()
    if table is None:
        return records
    rows = np.array(table[:1]) if arc is None else arc.rows
    content = np.ascontiguousarray(rows, "<f4").tobytes()
    _write(writer, _ROWS, _packed(content))
    records[_ROWS] = _record(content)
    return records


def _write_assets(writer: SiteWriter, texts: Mapping[str, str]) -> None:
    """Write the page with its texts, its styles and its scripts."""
    report = resources.files("trm_edge.report")
    for name in _SHARED:
        _write(writer, f"assets/{name}", (report / name).read_bytes())
    for source in (resources.files("trm_edge.page") / "static").iterdir():
        name = source.name
        if name == _PAGE:
            page = Template(source.read_text(encoding="utf-8"))
            escaped = {key: escape(text) for key, text in texts.items()}
            _write(writer, name, page.substitute(escaped).encode())
        elif name not in (_SERVICE_WORKER, *_UNUSED):
            _write(writer, f"assets/{name}", source.read_bytes())


def _write_service_worker(writer: SiteWriter, graphs: list[str]) -> None:
    """Write the script that serves the site without a network; it needs a list of the files."""
    large = [_RUNTIME_BINARY, *graphs]
    digest = hashlib.sha256()
    small = []
    for path in sorted(writer.folder.rglob("*")):
        if not path.is_file():
            continue
        name = path.relative_to(writer.folder).as_posix()
        digest.update(name.encode() + b"\0" + path.read_bytes())
        if name not in large:
            small.append(name)
    site = json.dumps({"version": digest.hexdigest()[:16], "small": small, "large": large})
    source = resources.files("trm_edge.page") / "static" / _SERVICE_WORKER
    script = f"const SITE = {site};\n{source.read_text(encoding='utf-8')}"
    _write(writer, _SERVICE_WORKER, script.encode())


def _size(folder: Path, graphs: tuple[Graph, ...]) -> SiteSize:
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    compared = sum(graph.size for graph in graphs[1:])
    return SiteSize(total - compared, compared)


def _write(writer: SiteWriter, name: str, content: bytes) -> FileRecord:
    writer.path(name).write_bytes(content)
    return _record(content)


def _record(content: bytes) -> FileRecord:
    return FileRecord(hashlib.sha256(content).hexdigest(), len(content))


def _packed(content: bytes) -> bytes:
    """Compress what hosts often send as it is; the scripts unpack it. The same at every call."""
    return gzip.compress(content, compresslevel=9, mtime=0)
