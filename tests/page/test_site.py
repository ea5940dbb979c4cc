"""A written site: its files, their hashes, and that the same bundle gives the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.page.node import STATIC
from tests.page.samples import RUNTIME, with_float32
from trm_edge.bundle import Bundle
from trm_edge.errors import OutputExistsError
from trm_edge.page.site import write_site

OUTSIDE = re.compile(r"(?:https?:)?//[a-z0-9-]+\.[a-z]", re.IGNORECASE)


@pytest.fixture(scope="module")
def bundle(old_bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "bundle"
    return with_float32(Path(shutil.copytree(old_bundles / "toy-fp32", folder)))


@pytest.fixture(scope="module")
def site(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    write_site(Bundle.open(bundle), RUNTIME, folder, title="A <model> & its page")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    contents = {}
    for path in folder.rglob("*"):
        if path.is_file():
            contents[path.relative_to(folder).as_posix()] = path.read_bytes()
    return contents


def service_worker(site: Path) -> dict[str, Any]:
    first_line = (site / "service-worker.js").read_text().partition("\n")[0]
    content: dict[str, Any] = json.loads(first_line.removeprefix("const SITE = ").rstrip(";"))
    return content


def test_the_graphs_are_those_of_the_bundle(bundle: Path, site: Path) -> None:
    for name in ("cpu/step.onnx", "float32/step.onnx"):
        packed = (site / "bundle" / f"{name}.gz").read_bytes()
        assert gzip.decompress(packed) == (bundle / name).read_bytes()
    manifest = json.loads((site / "bundle" / "manifest.json").read_text())
    assert manifest["files"]["cpu/step.onnx"]["sha256"]
    assert manifest["model"] == json.loads((bundle / "manifest.json").read_text())["model"]


def test_the_row_of_every_puzzle_is_that_of_the_table(bundle: Path, site: Path) -> None:
    table = Bundle.open(bundle).puzzle_embeddings()
    assert table is not None
    packed = (site / "examples" / "puzzle_embeddings.bin.gz").read_bytes()
    row = np.frombuffer(gzip.decompress(packed), "<f4")
    assert np.array_equal(row, table[0])


def test_what_the_scripts_check_has_the_right_hashes(site: Path) -> None:
    records = json.loads((site / "site.json").read_text())["files"]
    assert set(records) == {
        "bundle/manifest.json",
        "examples/puzzle_embeddings.bin.gz",
        "runtime/onnxruntime.wasm.gz",
    }
    for name, record in records.items():
        content = (site / name).read_bytes()
        if name.endswith(".gz"):
            content = gzip.decompress(content)
        assert record == {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def test_the_service_worker_knows_every_other_file(site: Path) -> None:
    content = service_worker(site)
    names = set(files(site)) - {"service-worker.js"}
    assert set(content["small"]) | set(content["large"]) == names
    packed = {name for name in names if name.endswith(".gz")}
    assert set(content["large"]) == packed - {"examples/puzzle_embeddings.bin.gz"}


def test_every_script_is_there_and_nothing_else(site: Path) -> None:
    scripts = {path.name for path in STATIC.iterdir()} - {"index.html", "service-worker.js"}
    expected = scripts - {"package.json"} | {"page.css", "player.js"}
    assert {path.name for path in (site / "assets").iterdir()} == expected
    for path in (site / "assets").glob("*.js"):
        for name in re.findall(r'from "(.+?)"|new URL\("(\w+\.js)"', path.read_text()):
            target = name[0] or name[1]
            if target != "service-worker.js":
                assert (path.parent / target).is_file(), (path.name, target)


def test_a_title_is_text(site: Path) -> None:
    html = (site / "index.html").read_text()
    assert "<h1>A &lt;model&gt; &amp; its page</h1>" in html
    assert "$" not in html


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for name, content in files(site).items():
        if name.endswith((".html", ".css", ".js")) and not name.startswith("runtime/"):
            lines = [line for line in content.decode().splitlines() if OUTSIDE.search(line)]
            code = [line for line in lines if not line.lstrip().startswith("//")]
            assert not code, (name, code)
    assert "default-src 'none'" in (site / "index.html").read_text()


def test_the_same_bundle_gives_the_same_bytes(bundle: Path, site: Path, tmp_path: Path) -> None:
    write_site(Bundle.open(bundle), RUNTIME, tmp_path / "site", title="A <model> & its page")
    assert files(tmp_path / "site") == files(site)
    write_site(Bundle.open(bundle), RUNTIME, tmp_path / "other", title="Another")
    assert service_worker(tmp_path / "other")["version"] != service_worker(site)["version"]


def test_the_size_is_that_of_the_files(bundle: Path, tmp_path: Path) -> None:
    size = write_site(Bundle.open(bundle), RUNTIME, tmp_path / "site")
    contents = files(tmp_path / "site")
    float32 = len(contents["bundle/float32/step.onnx.gz"])
    assert size.float32 == float32
    assert size.first == sum(map(len, contents.values())) - float32
    assert "<title>Sudoku, solved on your device</title>" in contents["index.html"].decode()


def test_only_a_site_is_replaced(bundle: Path, tmp_path: Path) -> None:
    opened = Bundle.open(bundle)
    folder = tmp_path / "site"
    write_site(opened, RUNTIME, folder)
    with pytest.raises(OutputExistsError, match="Pass --force"):
        write_site(opened, RUNTIME, folder)
    (folder / "old").write_text("")
    write_site(opened, RUNTIME, folder, force=True)
    assert not (folder / "old").exists()
    (folder / "site.json").write_text("[]")
    with pytest.raises(OutputExistsError, match="is not a page of trm-edge"):
        write_site(opened, RUNTIME, folder, force=True)
