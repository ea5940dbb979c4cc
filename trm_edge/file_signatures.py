"""Kinds of files that are told by their first bytes."""

from __future__ import annotations

from typing import NamedTuple


class Signature(NamedTuple):
    """A kind of file.

    Args:
        magic: its first bytes.
        kind: what such a file is, as in "it is KIND".
        unpack: how to get at the file inside, as a sentence without its full stop; empty where
            nothing is packed.
    """

    magic: bytes
    kind: str
    unpack: str = ""


_SIGNATURES = (
    Signature(b"\x1f\x8b", "compressed with gzip", "Unpack it with: gunzip"),
    Signature(b"BZh", "compressed with bzip2", "Unpack it with: bunzip2"),
    Signature(b"\xfd7zXZ\x00", "compressed with xz", "Unpack it with: unxz"),
    Signature(b"\x28\xb5\x2f\xfd", "compressed with zstd", "Unpack it with: unzstd"),
    Signature(b"PK\x03\x04", "a zip archive", "Unpack it and pass the file in it"),
    Signature(b"PK\x05\x06", "an empty zip archive"),
    Signature(b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it and pass the file in it"),
    Signature(b"Rar!", "a RAR archive", "Unpack it and pass the file in it"),
    Signature(b"PAR1", "a Parquet table"),
    Signature(b"\x93NUMPY", "a numpy array"),
    Signature(b"\x89HDF", "an HDF5 file"),
    Signature(b"GGUF", "a GGUF file (llama.cpp)"),
    Signature(b"%PDF", "a PDF document"),
    Signature(b"\x89PNG", "an image"),
    Signature(b"\xff\xd8\xff", "an image"),
)


def identify(start: bytes) -> Signature | None:
    """Find the kind of a file.

    Args:
        start: its first bytes.

    Returns:
        The kind, or None where it is none of those known.

    >>> identify(b"%PDF-1.7").kind
    'a PDF document'
    """
    for signature in _SIGNATURES:
        if start.startswith(signature.magic):
            return signature
    return None
