"""Bundles that were damaged, or made to do harm with hashes that are right: work, or a sentence."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import shutil
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.evaluation.floors import sample_floor
from tests.fuzz.damage import NUMBERS, cases, damaged_bytes, damaged_json, refusal
from trm_edge import records
from trm_edge.bundle import Bundle
from trm_edge.evaluation.floor import FORMAT as FLOOR_FORMAT

CASES = cases(60)  # of each kind of damage

Damage = Callable[[Path, random.Random], None]


def forge(folder: Path, name: str) -> None:
    """Write the manifest's hash of a file anew, as whoever makes a bundle can."""
    manifest = json.loads((folder / "manifest.json").read_text())
    content = (folder / name).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    manifest["files"][name] = {"sha256": digest, "size": len(content)}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def use(folder: Path) -> None:
    """Do with a bundle what every command does."""
    bundle = Bundle.open(folder)
    bundle.manifest.to_json()
    bundle.calibration()
    bundle.sensitivity()
    bundle.floor()
    bundle.identifiers()
    task = bundle.task()
    vectors = bundle.parity().first(2)
    for tokens in vectors.tokens:
        task.text(tokens)
    with bundle.solver("cpu", batch=2, threads=1) as solver:
        for solution in solver.solve(vectors.puzzles()):
            assert solution.answer.shape == vectors.tokens.shape[1:]


def damage_manifest(folder: Path, rng: random.Random) -> None:
    path = folder / "manifest.json"
    path.write_text(damaged_json(path.read_text(), rng), errors="surrogatepass")


def damage_any_file(folder: Path, rng: random.Random) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    name = rng.choice(sorted(manifest["files"]))
    path = folder / name
    path.write_bytes(damaged_bytes(path.read_bytes(), rng))
    if rng.random() < 0.7:
        forge(folder, name)


def damage_records(folder: Path, rng: random.Random) -> None:
    name = rng.choice(["calibration.json", "sensitivity.json", "floor.json"])
    path = folder / name
    path.write_text(damaged_json(path.read_text(), rng), errors="surrogatepass")
    forge(folder, name)


def damage_vectors(folder: Path, rng: random.Random) -> None:
    path = folder / "parity.npz"
    with np.load(path) as file:
        arrays = dict(file)
    name = rng.choice(sorted(arrays))
    array = arrays[name]
    damage = rng.choice(["gone", "shape", "type", "value", "none", "few", "extra"])
    if damage == "gone":
        del arrays[name]
    elif damage == "shape":
        arrays[name] = rng.choice([array[:0], array[:-1], array.ravel(), array[None], array.T])
    elif damage == "type":
        arrays[name] = np.zeros(array.shape, rng.choice(["f8", "U5", "i8", "c8", "?", "M8[s]"]))
    elif damage == "value":
        value = rng.choice([number for number in NUMBERS if number is not None])
        with np.errstate(all="ignore"):
            arrays[name] = np.full(array.shape, float(value)).astype(array.dtype)
    elif damage == "none":
        arrays = {key: value[:0] for key, value in arrays.items()}
    elif damage == "few":
        arrays = {key: value[:1] for key, value in arrays.items()}
    else:
        arrays["../evil"] = array
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    path.write_bytes(buffer.getvalue())
    forge(folder, "parity.npz")


def damage_graph(folder: Path, rng: random.Random) -> None:
    path = folder / "cpu/step.onnx"
    model = onnx.load(path, load_external_data=False)
    graph = model.graph
    node = rng.choice(graph.node)
    tensor = rng.choice([tensor for tensor in graph.initializer if tensor.dims])
    changes: list[Callable[[], Any]] = [
        lambda: tensor.dims.insert(0, rng.choice([10**6, 10**12, 2**62])),
        lambda: setattr(tensor, "raw_data", tensor.raw_data[:-1]),
        lambda: tensor.dims.__setitem__(0, rng.choice([0, -1, -(2**62)])),
        lambda: setattr(node, "op_type", rng.choice(["Loop", "Tile", "Evil\x1b[31m", "Add"])),
        lambda: setattr(node, "domain", rng.choice(["evil", "com.microsoft", "ai.onnx.ml"])),
        lambda: node.input.__setitem__(0, rng.choice(graph.node).output[0]),
        lambda: graph.node.remove(node),
        lambda: graph.initializer.append(tensor),
        lambda: graph.output.remove(rng.choice(graph.output)),
        lambda: graph.input[0].type.tensor_type.shape.dim[1].__setattr__("dim_value", 2**40),
        lambda: setattr(model.opset_import[0], "version", rng.choice([0, 1, 99, 2**31])),
        lambda: _scramble(node, rng),
        lambda: _fill(tensor, rng),
    ]
    rng.choice(changes)()
    path.write_bytes(model.SerializeToString())
    forge(folder, "cpu/step.onnx")


def _scramble(node: onnx.NodeProto, rng: random.Random) -> None:
    for attribute in node.attribute:
        attribute.i = rng.choice([-1, 99, 2**62])


def _fill(tensor: onnx.TensorProto, rng: random.Random) -> None:
    """NaN in weights is not seen in a graph; it must not crash either."""
    if tensor.data_type == TensorProto.FLOAT:
        count = len(tensor.raw_data) // 4
        value = rng.choice([np.nan, np.inf])
        tensor.raw_data = np.full(count, value, np.float32).tobytes()


DAMAGES: list[Damage] = [
    damage_manifest,
    damage_any_file,
    damage_records,
    damage_vectors,
    damage_graph,
]


@pytest.fixture(scope="module")
def bundle(old_bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the first version, with a floor as later ones write it."""
    folder = tmp_path_factory.mktemp("fuzz") / "bundle"
    shutil.copytree(old_bundles / "toy-int8", folder)
    records.write(folder / "floor.json", sample_floor(), FLOOR_FORMAT)
    forge(folder, "floor.json")
    use(folder)
    return folder


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_it_works_or_is_refused_in_a_sentence(damage: Damage, bundle: Path, tmp_path: Path) -> None:
    refused = 0
    for seed in range(CASES):
        folder = tmp_path / str(seed)
        shutil.copytree(bundle, folder)
        damage(folder, random.Random(seed))
        refused += refusal(partial(use, folder)) is not None
        shutil.rmtree(folder)
    assert refused > CASES // 4


@pytest.mark.parametrize("kind", ["fifo", "folder", "loop", "dangling", "device", "outside"])
@pytest.mark.parametrize("name", ["manifest.json", "parity.npz", "cpu/step.onnx"])
def test_what_is_not_a_regular_file(kind: str, name: str, bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder)
    path = folder / name
    content = path.read_bytes()
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "dangling":
        path.symlink_to(folder / "nowhere")
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        (tmp_path / "outside").write_bytes(content)
        path.symlink_to(tmp_path / "outside")
    text = refusal(lambda: use(folder))
    if name != "manifest.json" or kind != "outside":  # a link to a manifest is read as one
        assert text is not None


def test_a_large_sparse_manifest(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder)
    with (folder / "manifest.json").open("r+b") as file:
        file.truncate(2 << 30)
    text = refusal(lambda: use(folder))
    assert text is not None
    assert "larger than 64 MiB" in text


def test_a_zip_bomb_in_the_vectors(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder)
    with (
        zipfile.ZipFile(folder / "parity.npz") as old,
        zipfile.ZipFile(tmp_path / "new", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            if name != "tokens.npy":
                new.writestr(name, old.read(name))
        with new.open("tokens.npy", "w", force_zip64=True) as part:
            header = {"descr": "|u1", "fortran_order": False, "shape": (600 << 20, 1)}
            np.lib.format.write_array_header_1_0(part, header)
            for _ in range(600):
                part.write(bytes(1 << 20))
    shutil.move(tmp_path / "new", folder / "parity.npz")
    forge(folder, "parity.npz")
    text = refusal(lambda: use(folder))
    assert text is not None
    assert "at most 536870912 are read" in text


def test_a_file_that_was_replaced_after_the_bundle_was_opened(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder)
    opened = Bundle.open(folder)
    for name in ("cpu/step.onnx", "parity.npz", "puzzle_embeddings.npy", "calibration.json"):
        content = bytearray((folder / name).read_bytes())
        content[-1] ^= 1
        (folder / name).unlink()
        (folder / name).write_bytes(content)
    for use_file in (
        opened.parity,
        opened.puzzle_embeddings,
        opened.calibration,
        opened.backend("cpu", threads=1).activate,
    ):
        text = refusal(use_file)
        assert text is not None
        assert "sha256 differs from the" in text


def test_external_data_is_never_read(bundle: Path, tmp_path: Path) -> None:
    for number, location in enumerate(["/etc/passwd", "weights.bin", "step.onnx", ""]):
        folder = tmp_path / str(number)
        shutil.copytree(bundle, folder)
        path = folder / "cpu/step.onnx"
        model = onnx.load(path, load_external_data=False)
        tensor = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
        (folder / "cpu/weights.bin").write_bytes(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)
        path.write_bytes(model.SerializeToString())
        forge(folder, "cpu/step.onnx")
        text = refusal(partial(use, folder))
        assert text is not None
        assert "lies in another file" in text


def test_a_node_that_the_exporter_never_writes(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder)
    path = folder / "cpu/step.onnx"
    model = onnx.load(path, load_external_data=False)
    model.graph.node.append(helper.make_node("ConstantOfShape", ["logits"], ["\x1b[31mbomb"]))
    path.write_bytes(model.SerializeToString())
    forge(folder, "cpu/step.onnx")
    text = refusal(lambda: use(folder))
    assert text is not None
    assert "it has the operator 'ConstantOfShape', which no export of trm-edge uses" in text
