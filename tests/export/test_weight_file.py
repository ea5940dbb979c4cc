"""Weight files: recognised by their first bytes, bounded, and never executed."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.toys import BASE, toy_model, write_run
from trm_edge.errors import CheckpointError
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.export.weight_choice import find_weights, weight_names
from trm_edge.export.weight_file import read_weights


def state_dict() -> dict[str, Tensor]:
    return {f"model.{name}": value for name, value in toy_model(BASE).state_dict().items()}


def message_of(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_weights(path)
    message = str(caught.value)
    assert "weights_only" not in message
    assert "\x1b" not in message
    return message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (bytes(5000), "begins with 4096 bytes of zeros"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n", "git lfs pull"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "is an HTML page"),
        (b"\n <html lang='en'>", "is an HTML page"),
        (b"arch:\n  hidden_size: 3\n", "A configuration goes with --config"),
        (b'{"error": "not found"}', "is a text file that begins with"),
        (gzip.compress(b"x" * 99, mtime=0), "gunzip"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x93NUMPY\x01\x00", "a numpy array"),
        (b"x" * 257 + b"ustar" + bytes(9), "tar archive"),
        (bytes(range(256)) * 9, "damaged, cut short, or not a PyTorch file"),
        (b"\x80\x02" + b"]" * 1000, "damaged, cut short, or not a PyTorch file"),
    ],
)
def test_other_files_are_named(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "step_1"
    path.write_bytes(content)
    assert message in message_of(path)


def test_a_pickled_module_is_named(tmp_path: Path) -> None:
    path = tmp_path / "step_1"
    for is_zip in (True, False):
        torch.save(nn.Linear(2, 2), path, _use_new_zipfile_serialization=is_zip)
        assert "an object of torch.nn.modules.linear.Linear" in message_of(path)


class _Payload:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("executed",))


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_is_never_executed(
    protocol: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "step_1"
    path.write_bytes(pickle.dumps(_Payload(), protocol=protocol))
    message_of(path)
    assert "executed" not in capsys.readouterr().out


def _zip(parts: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return target.getvalue()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"model/weights.txt": b"x"}, "a zip archive of model/weights.txt"),
        ({"a/data.pkl": b"x", "a/constants.pkl": b"x"}, "TorchScript"),
        ({"a/data.pkl": b"\x80\x02}.", "a/data/0": bytes(64 << 20)}, "unpacks to 64 MiB"),
        ({"a/data.pkl": bytes(9 << 20)}, "unpacks to 9 MiB"),
    ],
)
def test_archives_that_are_not_weights(
    parts: dict[str, bytes], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "step_1"
    path.write_bytes(_zip(parts, zipfile.ZIP_DEFLATED))
    assert message in message_of(path)


def test_endless_opcodes_are_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trm_edge.export.weight_file._MAX_READS", 1000)
    path = tmp_path / "step_1"
    path.write_bytes(b"\x80\x02" + b"(" * 100_000)
    assert "cannot be loaded safely" in message_of(path)


def _safetensors(tensors: dict[str, Tensor]) -> bytes:
    """As the package safetensors writes a file."""
    names = {torch.float32: "F32", torch.bfloat16: "BF16"}
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, tensor in tensors.items():
        raw = tensor.contiguous().view(torch.uint8).numpy().tobytes()
        entry = {"dtype": names[tensor.dtype], "shape": list(tensor.shape)}
        header[name] = {**entry, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_reads_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(_safetensors(state_dict()))
    content = read_weights(path)
    assert isinstance(content, dict)
    for name, value in state_dict().items():
        torch.testing.assert_close(content[name], value, check_stride=False)
    path.write_bytes(path.read_bytes()[:-9])
    assert "begins like a safetensors file, but is damaged" in message_of(path)


@pytest.mark.parametrize(
    "name",
    ["step_12", "step_12.pt", "checkpoint", "pytorch_model.bin", "last.ckpt", "model.pth"],
)
def test_finds_the_only_file_of_a_folder(name: str, tmp_path: Path) -> None:
    written = write_run(tmp_path, BASE)
    written.rename(tmp_path / name)
    assert find_weights(tmp_path).name == name
    assert load_checkpoint(tmp_path).config == BASE


def test_numbers_that_are_none_are_not_steps(tmp_path: Path) -> None:
    for name in ("step_²", "step_", "step_-1", "step_1_0", "step_" + "9" * 200, "step_7_preds.0"):
        (tmp_path / name).write_text("x")
    (tmp_path / "step_9.pt").write_text("x")
    assert find_weights(tmp_path).name == "step_9.pt"


def test_several_files_are_a_question(tmp_path: Path) -> None:
    for name in ("a.pt", "b.pt"):
        (tmp_path / name).write_text("x")
    with pytest.raises(CheckpointError, match=r"several files that could be weights.*a\.pt, b\.pt"):
        find_weights(tmp_path)


def test_a_pipe_or_device_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "step_1")
    for path in (tmp_path / "step_1", Path("/dev/zero")):
        with pytest.raises(CheckpointError, match="is not a regular file"):
            find_weights(path)


def test_a_file_saved_by_an_old_torch(tmp_path: Path) -> None:
    path = write_run(tmp_path, BASE)
    content = torch.load(path, weights_only=True)
    torch.save(content, path, _use_new_zipfile_serialization=False)
    assert load_checkpoint(path).config == BASE


def test_the_table_is_a_copy(tmp_path: Path) -> None:
    path = write_run(tmp_path, BASE)
    table = load_checkpoint(path).puzzle_embeddings
    assert table is not None
    expected = np.array(table)
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    np.testing.assert_array_equal(table, expected)


def test_tensors_saved_on_a_gpu_arrive_on_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_run(tmp_path, BASE)
    content = torch.load(path, weights_only=True)
    with monkeypatch.context() as patch:
        patch.setattr("torch.serialization.location_tag", lambda storage: "cuda:1")
        torch.save(content, path)
    with zipfile.ZipFile(path) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        assert b"cuda:1" in archive.read(name)
    assert load_checkpoint(path).model.lm_head.weight.device.type == "cpu"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("step_9", "checkpoint", "model.safetensors"), ["step_9"]),
        (("checkpoint", "optimizer.pt"), ["checkpoint"]),
        (("last.ckpt", "epoch_004.ckpt"), ["last.ckpt"]),
        (("last.ckpt", "last-v1.ckpt"), ["last-v1.ckpt", "last.ckpt"]),
        (("epoch_9.ckpt", "epoch_10.ckpt"), ["epoch_10.ckpt"]),
        (("epoch=9-step=90.ckpt", "epoch=9-step=100.ckpt"), ["epoch=9-step=100.ckpt"]),
        (("model.safetensors", "pytorch_model.bin", "training_args.bin"), ["model.safetensors"]),
        (("pytorch_model.bin", "training_args.bin"), ["pytorch_model.bin"]),
        (("a.pt", "b.pt"), ["a.pt", "b.pt"]),
        (("README.md",), []),
    ],
)
def test_the_file_of_a_folder(names: tuple[str, ...], expected: list[str]) -> None:
    assert weight_names(names) == expected
