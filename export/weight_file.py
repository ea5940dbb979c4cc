"""Weight files: recognised by their first bytes, and read without running anything in them.

A file of a stranger may be something else entirely (a Git LFS pointer, a saved web page), hold
objects that only running code could restore, or unpack to far more than its size. All of that is
told apart before anything large is allocated.
"""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from trm_edge.errors import CheckpointError
from trm_edge.export.safe_load import load_tensors
from trm_edge.file_signatures import identify
from trm_edge.printable import excerpt

_HEAD = 4096  # bytes that tell what a file is
_SLACK = 1 << 20  # bytes that an archive may unpack to beyond its own size
_MAX_PICKLE = 8 << 20  # bytes of the names and shapes; the published files have 2 kB
_MAX_READS = 4_000_000  # calls while unpickling a file of the old format
_MAX_MEMBERS = 100_000
_MAX_HEADER = 16 << 20  # bytes of a safetensors header
_SAFETENSORS_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}
_SAVE = "torch.save(model.state_dict(), 'step_N') writes what can be read."
_DOWNLOAD = (
    "Download the file itself: on Hugging Face the address with /resolve/, not /blob/, or "
    "hf download OWNER/NAME"
)


def check_kind(path: Path) -> None:
    """Refuse a file that is recognisably something other than weights, and say what it is.

    Args:
        path: the file.

    Raises:
        CheckpointError: names what the file is and what to do.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not head:
        raise CheckpointError(
            f"{path} is empty, so its download or copy did not finish. Fetch it again."
        )
    if head.startswith(b"version https://git-lfs"):
        raise CheckpointError(
            f"{path} is a Git LFS pointer of {size} bytes, not the weights{_pointed_size(head)}. "
            "Run git lfs pull in its repository (git lfs install once before)."
        )
    if not head.strip(b"\0"):
        raise CheckpointError(
            f"{path} begins with {len(head)} bytes of zeros, so its download or copy did not "
            "finish. Fetch it again."
        )
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")) or b"<html" in start[:512]:
        raise CheckpointError(
            f"{path} is an HTML page, such as an error or login page. {_DOWNLOAD}."
        )
    signature = identify(head)
    if signature is not None and not head.startswith(b"PK"):  # torch.save writes zip archives
        remedy = signature.unpack or f"Only PyTorch weights can be read; {_SAVE}"
        raise CheckpointError(
            f"{path} is {signature.kind}, not a weight file. {remedy.removesuffix('.')}."
        )
    if head[257:262] == b"ustar":
        raise CheckpointError(f"{path} is a tar archive, not a weight file. Unpack it.")
    if _is_text(head):
        raise CheckpointError(_text_description(path, head))


def _pointed_size(head: bytes) -> str:
    match = re.search(rb"^size (\d{1,15})\s*$", head, re.MULTILINE)
    if match is None:
        return ""
    return f" of {int(match[1])} bytes that it stands for"


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # not a character that the end cut in two
            return False
        text = head[: error.start].decode("utf-8")
    return not re.search(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]", text)


def _text_description(path: Path, head: bytes) -> str:
    text = head.decode("utf-8", errors="replace")
    if path.suffix in (".yaml", ".yml", ".json") or re.search(r"^arch:", text, re.MULTILINE):
        remedy = "A configuration goes with --config, a dataset.json with --dataset."
    else:
        remedy = _SAVE
    beginning = excerpt(" ".join(text.split()), 40)
    return f"{path} is a text file that begins with {beginning!r}, not a weight file. {remedy}"


def read_weights(path: Path) -> object:
    """Read what a weight file holds: tensors in dictionaries; never execute anything.

    Args:
        path: the file.

    Returns:
        The content as it was saved; not checked.

    Raises:
        CheckpointError: the file is something else, is damaged, or needs code to be run.
    """
    check_kind(path)
    with path.open("rb") as file:
        head = file.read(9)
        if head.startswith(b"PK"):
            stored = _check_archive(path)
            return _load(path, path, mmap=stored)
        if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= path.stat().st_size:
            return _read_safetensors(path)
        file.seek(0)
        return _load(path, _CountingReader(file), mmap=False)


def _load(path: Path, source: Any, *, mmap: bool) -> object:
    try:
        return load_tensors(source, mmap=mmap)
    except Exception as error:  # a damaged pickle raises errors of any type
        raise CheckpointError(
            f"{path} cannot be loaded safely as a state_dict: {_reason(error)}"
        ) from error


def _reason(error: Exception) -> str:
    """The problem without torch's advice, which is to load the file unsafely."""
    text = str(error)
    match = re.search(r"(?:GLOBAL|global|function|class|Unsupported class) ([\w.]+\.[\w.]+)", text)
    if match is not None:
        return (
            f"it holds an object of {excerpt(match[1], 80)}, and restoring that would run code "
            "from the file. It must hold tensors alone; in the program that trained the model, "
            f"{_SAVE}"
        )
    return (
        f"it is damaged, cut short, or not a PyTorch file ({type(error).__name__}). Fetch it "
        f"again, or save it again; {_SAVE}"
    )


def _check_archive(path: Path) -> bool:
    """Refuse an archive that is not torch's, or that unpacks to more than it is.

    Returns:
        True where nothing is compressed, as torch.save writes it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except Exception as error:  # a damaged archive raises errors of many types
        raise CheckpointError(
            f"{path} cannot be loaded safely as a state_dict: it begins like an archive of "
            "torch.save, but is damaged or cut short. Fetch it again."
        ) from error
    names = [member.filename for member in members]
    pickles = [member for member in members if member.filename.endswith("/data.pkl")]
    if any(name.endswith("/constants.pkl") for name in names):
        raise CheckpointError(
            f"{path} is a TorchScript archive, which holds code. In the program that made it, "
            f"{_SAVE}"
        )
    if not pickles:
        shown = ", ".join(excerpt(name, 60) for name in names[:4]) or "nothing"
        raise CheckpointError(
            f"{path} cannot be loaded safely as a state_dict: it is a zip archive of {shown}, not "
            "one that torch.save wrote. If the weights are in it, unpack it."
        )
    unpacked = sum(member.file_size for member in members)
    if unpacked > path.stat().st_size + _SLACK or len(members) > _MAX_MEMBERS:
        raise CheckpointError(
            f"{path} cannot be loaded safely as a state_dict: it unpacks to {unpacked >> 20} MiB, "
            f"far more than its own {path.stat().st_size >> 20} MiB, and torch.save does not "
            "compress. Save it again with torch.save."
        )
    if sum(member.file_size for member in pickles) > _MAX_PICKLE:
        raise CheckpointError(
            f"{path} cannot be loaded safely as a state_dict: its table of contents is larger "
            f"than {_MAX_PICKLE >> 20} MiB. It must hold tensors alone; {_SAVE}"
        )
    return all(member.compress_type == zipfile.ZIP_STORED for member in members)


class _CountingReader:
    """A file that gives up after a number of reads: each is an opcode of a pickle at most."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._reads = 0

    def _count(self) -> None:
        self._reads += 1
        if self._reads > _MAX_READS:
            raise ValueError("more opcodes than any state_dict needs")

    def read(self, size: int = -1) -> bytes:
        self._count()
        return self._file.read(size)

    def readinto(self, buffer: memoryview) -> int:
        return self._file.readinto(buffer)  # type: ignore[attr-defined, no-any-return]

    def readline(self, size: int = -1) -> bytes:
        self._count()
        return self._file.readline(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file: a JSON header, then the tensors one after the other."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if size > _MAX_HEADER:
                raise ValueError("its header is larger than any model needs")
            header = json.loads(file.read(size))
        header.pop("__metadata__", None)
        data = np.memmap(path, np.uint8, "c", offset=8 + size)
        tensors = {}
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            if not 0 <= begin <= end <= len(data):
                raise ValueError("a tensor lies outside of it")
            dtype = _SAFETENSORS_TYPES[entry["dtype"]]
            flat = torch.from_numpy(np.array(data[begin:end])).view(dtype)
            tensors[name] = flat.reshape(entry["shape"])
        return tensors
    except Exception as error:  # a damaged header has values of any type
        raise CheckpointError(
            f"{path} cannot be loaded safely as a state_dict: it begins like a safetensors file, "
            f"but is damaged or cut short ({type(error).__name__}). Fetch it again."
        ) from error
