"""Records: JSON that is written with a format line, and refused where it is not what we wrote."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trm_edge import records
from trm_edge.errors import CalibrationError, ConfigError, RecordError
from trm_edge.records import Format, RecordKind

FORMAT = Format("trm-edge.test", 2)
KIND = RecordKind(FORMAT, "a test record", RecordError, "Write it again.")


@dataclass(frozen=True)
class Part:
    name: str
    share: float = 0.0


@dataclass(frozen=True)
class Record:
    count: int
    mode: Literal["fast", "slow"] = "fast"
    parts: tuple[Part, ...] = ()
    by_name: Mapping[str, Part] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    note: str | None = None

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ConfigError(f"count must be 0 or more, but got {self.count}.")


def decode(text: str | bytes, **options: Any) -> Record:
    return records.decode(text, Record, KIND, "some.json", **options)


def content(**values: Any) -> str:
    return json.dumps({"format": "trm-edge.test/2", "count": 1, **values})


# --- writing -----------------------------------------------------------------------------------


def test_the_format_line_comes_first() -> None:
    text = records.encode(Record(3, parts=(Part("a", 0.5),)), FORMAT)
    assert text.startswith('{\n  "format": "trm-edge.test/2",\n  "count": 3,')
    assert text.endswith("}\n")


def test_one_line_on_request() -> None:
    text = records.encode(Part("a", 0.5), FORMAT, indent=0)
    assert text == '{"format":"trm-edge.test/2","name":"a","share":0.5}\n'


def test_numpy_values_and_paths_have_a_json_form() -> None:
    values = {
        "float": np.float32(0.5),
        "int": np.int64(2),
        "array": np.arange(4, dtype=np.uint8).reshape(2, 2),
        "path": Path("a/b"),
        "nan": float("nan"),
    }
    assert json.loads(records.encode(values, FORMAT)) == {
        "format": "trm-edge.test/2",
        "float": 0.5,
        "int": 2,
        "array": [[0, 1], [2, 3]],
        "path": "a/b",
        "nan": None,
    }


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="complex has no JSON form"):
        records.encode({"value": 1j}, FORMAT)
    with pytest.raises(ValueError, match="must not have its own"):
        records.encode({"format": "trm-edge.other/1"}, FORMAT)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    record = Record(
        3, "slow", (Part("a", 0.25), Part("ä")), {"b": Part("b", 1.0)}, {"x": [1, {"y": None}]}
    )
    path = tmp_path / "folder" / "record.json"
    records.write(path, record, FORMAT)
    assert records.read(path, Record, KIND) == record


# --- format lines ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("trm-edge.test/2", FORMAT),
        ("trm-edge.test/0", Format("trm-edge.test", 0)),
        ("trm-edge.test", None),
        ("trm-edge.test/", None),
        ("trm-edge.test/two", None),
        ("trm-edge.test/-1", None),
        ("trm-edge.test/1/2", None),
        ("trm-edge.test/٣", None),
        ("trm-edge.test/9999999999", None),
        (2, None),
        (None, None),
        (["trm-edge.test/2"], None),
    ],
)
def test_format_lines_are_parsed(text: object, expected: Format | None) -> None:
    assert Format.parse(text) == expected


def test_an_older_version_is_read() -> None:
    assert decode(content(format="trm-edge.test/1")) == Record(1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (content(format="trm-edge.test/3"), "has format trm-edge.test/3, .* reads .*/2. Upgrade"),
        (content(format="trm-edge.test/0"), "its format is 'trm-edge.test/0', expected"),
        (content(format="trm-edge.bundle/1"), "its format is 'trm-edge.bundle/1', expected"),
        (content(format=7), "its format is 7, expected 'trm-edge.test/2'. Write it again."),
        (content(format="x" * 5000), r"its format is 'x{76}\.\.\., expected"),
        ('{"count": 1}', "it has no format, expected 'trm-edge.test/2'"),
        ("[1, 2]", "it holds a list, expected an object with the format"),
        ('"text"', "it holds a text, expected an object"),
        ("3.5", "it holds a number, expected an object"),
        ("true", "it holds true or false, expected an object"),
        ("null", "it holds nothing, expected an object"),
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("[" * 100_000, "it is nested too deeply"),
        (b'{"a": "\xe9"}', "it is not UTF-8 text"),
        ('{"a": 1}'.encode("utf-16"), "it is not UTF-8 text"),
    ],
)
def test_foreign_and_newer_files_are_refused(text: str, message: str) -> None:
    with pytest.raises(RecordError, match=f"^some.json .*{message}"):
        decode(text)


# --- keys and types ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"extra_key": 1}, "unknown extra_key; the keys are count, mode"),
        ({"parts": [{"name": "a"}, {"name": "b", "x": 1}]}, r"unknown x in parts\[1\]; the keys"),
        ({"by_name": {"k": {"name": "a", "x": 1}}}, r"unknown x in by_name\.k; the keys are name"),
        ({"parts": [{}]}, r"missing required field name in parts\[0\]"),
        ({"count": "1"}, "expected int, got str in count"),
        ({"count": 1.5}, "expected int, got float in count"),
        ({"count": True}, "expected int, got bool in count"),
        ({"count": None}, "expected int, got null in count"),
        ({"parts": {"a": 1}}, "expected array, got object in parts"),
        ({"parts": [3]}, r"expected object, got int in parts\[0\]"),
        ({"mode": "quick"}, "invalid enum value 'quick' in mode"),
        ({"note": 5}, r"expected str \| null, got int in note"),
        ({"count": -1}, r"count must be 0 or more, but got -1\. Write it again"),
    ],
)
def test_keys_and_values_that_do_not_fit(values: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError, match=message) as caught:
        decode(content(**values))
    assert str(caught.value).startswith("some.json is not a test record that this version can read")
    assert str(caught.value).endswith(" Write it again.")
    assert ".." not in str(caught.value)


def test_a_missing_key_is_named() -> None:
    with pytest.raises(RecordError, match="missing required field count"):
        decode('{"format": "trm-edge.test/2"}')


def test_an_integer_is_a_float_where_one_is_expected() -> None:
    assert decode(content(parts=[{"name": "a", "share": 1}])).parts[0].share == 1.0


def test_free_form_content_is_left_alone() -> None:
    extra = {"anything": [1, {"goes": None}], "format": "mine"}
    assert decode(content(extra=extra)).extra == extra


def test_errors_are_of_the_kind_that_is_read() -> None:
    kind = KIND._replace(error=CalibrationError)
    with pytest.raises(CalibrationError, match="it has no format"):
        records.decode("{}", Record, kind, "some.json")


# --- text that is not JSON ---------------------------------------------------------------------

REFUSED = (
    r"^some\.json is not a test record: it is (not valid JSON|not UTF-8|empty|nested too deeply)"
)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"not json",
        content().encode()[:-5],
        content().encode() + b"{}",
        b'{"format": "trm-edge.test/2", "count": NaN}',
        b'{"format": "trm-edge.test/2", "count": Infinity}',
        content().encode("utf-16"),
        b'{"format": "trm-edge.test/2", "count": 1, "note": "\xff\xfe"}',
        b'{"format": "trm-edge.test/2", "count": ' + b"1" * 5000 + b"}",
        b'{"format": "trm-edge.test/2", "count": ' + b"9" * 4000 + b"}",
        b'{"format": ' + b"9" * 20 + b', "count": 1}',
        b'{"format": "trm-edge.test/2", "count": 1e' + b"9" * 5000 + b"}",
        b'{"format": "trm-edge.test/2", "count": 1, "extra": ' + b'{"a":' * 200_000,
        b"[" * 200_000 + b"]" * 200_000,
        b"\x00" * 100,
    ],
    ids=lambda text: repr(text[:24]),
)
def test_what_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(RecordError, match=REFUSED):
        decode(text)


@pytest.mark.parametrize("depth", [100, 900, 2000, 4000, 8000])
def test_deep_nesting_is_read_or_refused(depth: int) -> None:
    nested = '{"a": ' * depth + "1" + "}" * depth
    text = f'{{"format": "trm-edge.test/2", "count": 1, "extra": {nested}}}'
    message = ""
    try:
        decode(text)
    except RecordError as error:
        message = str(error)
    if message:
        assert re.search("nested too deeply|maximum recursion depth", message)


def test_a_byte_order_mark_is_ignored() -> None:
    assert decode(b"\xef\xbb\xbf" + content().encode()) == Record(1)
    assert decode("\ufeff" + content()) == Record(1)


@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_any_bytes_are_a_record_or_our_error(text: bytes) -> None:
    with pytest.raises(RecordError):
        decode(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values),
    max_leaves=8,
)


@given(st.sampled_from(["count", "mode", "parts", "by_name", "extra", "note", "x"]), json_values)
def test_any_value_is_built_or_refused(key: str, value: Any) -> None:
    message = "some.json "
    try:
        decode(content(**{key: value}))
    except RecordError as error:
        message = str(error)
    assert message.startswith("some.json ")


# --- files -------------------------------------------------------------------------------------


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    def read(path: Path, missing: str | None = None) -> Record:
        return records.read(path, Record, KIND, missing=missing)

    with pytest.raises(RecordError, match=r"none\.json does not exist\. Write it again\."):
        read(tmp_path / "none.json")
    with pytest.raises(RecordError, match=r"^run --update first$"):
        read(tmp_path / "none.json", "run --update first")
    with pytest.raises(RecordError, match="cannot be read: it is not a regular file"):
        read(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RecordError, match="cannot be read: it is not a regular file"):
        read(tmp_path / "pipe")
    (tmp_path / "file").write_text(content())
    with pytest.raises(RecordError, match="cannot be read: Not a directory"):
        read(tmp_path / "file" / "record.json")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(RecordError, match="cannot be read: Too many levels"):
        read(tmp_path / "loop")


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_BYTES", 1 << 20)
    path = tmp_path / "large.json"
    path.write_text(content() + " " * (1 << 20))
    with pytest.raises(RecordError, match="is larger than 1 MiB, so it is not a test record"):
        records.read(path, Record, KIND)


# --- older versions ----------------------------------------------------------------------------


def rename(raw: dict[str, Any]) -> None:
    raw["count"] = raw.pop("number")


def test_older_content_is_migrated() -> None:
    text = '{"format": "trm-edge.test/1", "number": 4}'
    assert decode(text, migrate=rename) == Record(4)
    with pytest.raises(RecordError, match=r"version can read: 'number'\. Write it again"):
        decode('{"format": "trm-edge.test/1"}', migrate=rename)


def test_content_without_a_format_line_is_upgraded() -> None:
    def upgrade(raw: Any) -> Any:
        if not isinstance(raw, list):
            return raw
        return {"format": "trm-edge.test/1", "count": raw[0]}

    assert decode("[5]", upgrade=upgrade) == Record(5)
    assert decode(content(), upgrade=upgrade) == Record(1)
    with pytest.raises(RecordError, match="list index out of range"):
        decode("[]", upgrade=upgrade)


# --- values without a JSON type, and schemas ---------------------------------------------------


@dataclass(frozen=True)
class Arrays:
    values: np.ndarray
    path: Path


def decode_array(value_type: type, value: Any) -> Any:
    if value_type is np.ndarray:
        return np.array(value, np.float32)
    return Path(value)


def test_arrays_are_built_by_the_caller() -> None:
    text = records.encode(Arrays(np.array([1.0, 2.0]), Path("x")), FORMAT)
    record = records.decode(text, Arrays, KIND, "some.json", decode_value=decode_array)
    np.testing.assert_array_equal(record.values, [1.0, 2.0])
    assert record.path == Path("x")
    with pytest.raises(RecordError, match="could not convert string to float"):
        records.decode(text.replace("1.0", '"x"'), Arrays, KIND, "s", decode_value=decode_array)
