"""TOML files within bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from trm_edge.errors import ConfigError
from trm_edge.toml_file import MAX_TOML_BYTES, decode_toml, read_toml


def test_a_file_is_read_with_or_without_a_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"\xef\xbb\xbf[a]\nb = 1\n")
    assert read_toml(path) == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff", "not UTF-8"),
        (b"a = 1\na = 2\n", "is not valid TOML"),
        (b"a = " + b"9" * 5000, "is not valid TOML"),
        (b"a = " + b"9" * 4000, "a whole number of more than 64 bits"),
        (b"a = [0x" + b"f" * 5000 + b"]", "a whole number of more than 64 bits"),
        (b"x = " + b"[" * 30_000, "is not valid TOML"),
        (b"a" + b".a" * 20_000 + b" = 1", "20000 dots, and at most 200 are expected"),
        (b"#" * (MAX_TOML_BYTES + 1), "at most 65536 are read"),
    ],
    ids=["bytes", "twice", "digits", "wide", "hexadecimal", "nested", "dots", "large"],
)
def test_what_is_no_toml_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_toml(path)


def test_errors_name_the_source(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^cannot read .*nowhere: No such file"):
        read_toml(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"^some text is not valid TOML"):
        decode_toml("=", "some text")
