"""Configuration files as people have them: YAML of unknown origin into plain values.

Numbers are read as Hydra reads them (``1e-5`` is one), ``${...}`` references to other settings are
resolved, and what a run logger wraps in ``desc`` and ``value`` is unwrapped. Size, depth and
references are bounded before anything is built.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from trm_edge.errors import CheckpointError, ConfigError
from trm_edge.export.bounded_text import read_text
from trm_edge.json_text import json_noun
from trm_edge.printable import excerpt

_MAX_BYTES = 256 << 10  # a run's configuration has 2 kB
_MAX_NODES = 20_000  # values, with every reference (*name) counted as what it stands for
_MAX_OPEN = 200  # brackets in a row, or dashes in a line
_MAX_HOPS = 8  # references to references
# PyYAML's own errors, and those that its constructors raise on malformed values.
_YAML_ERRORS = (
    yaml.YAMLError,
    ValueError,
    TypeError,
    OverflowError,
    LookupError,
    AttributeError,
)
_MERGE = "tag:yaml.org,2002:merge"
_FLOAT = re.compile(
    r"""^(?:[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+
        |[-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?)$""",
    re.VERBOSE,
)
_DEEP = re.compile(rf"(?:- *){{{_MAX_OPEN}}}|(?:\? *){{{_MAX_OPEN}}}")
_REFERENCE = re.compile(r"\$\{(\.*)([A-Za-z_][\w.]*)\}")


class _Loader(yaml.SafeLoader):
    """YAML 1.1 without dates, and with ``1e-5`` as a number, as Hydra reads it."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (a class attribute of yaml.SafeLoader)
        first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


@dataclass(frozen=True)
class Settings:
    """A mapping and the file it came from.

    Args:
        path: the file.
        values: its content by key.
    """

    path: Path
    values: Mapping[str, Any]


def read_yaml(path: Path, expected: str) -> Settings:
    """Read a YAML file whose top level is a mapping.

    Args:
        path: the file.
        expected: the mapping's content, for messages: ``"a mapping with the key arch"``.

    Raises:
        CheckpointError: it cannot be read, is not YAML, is too large or too deep, or not a mapping.
    """
    text = read_text(path, _MAX_BYTES, "a configuration")
    if _open_brackets(text) > _MAX_OPEN or _DEEP.search(text):
        raise CheckpointError(f"{path} is not a configuration: it is nested too deeply.")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is not None:
            _check_size(node, path)
        values = None if node is None else loader.construct_document(node)
    except RecursionError as error:
        raise CheckpointError(f"{path} is not a configuration: it is nested too deeply.") from error
    except _YAML_ERRORS as error:
        raise CheckpointError(f"{path} is not YAML: {_first_line(error)}.") from error
    return Settings(path, _mapping(values, path, expected))


def _open_brackets(text: str) -> int:
    """The most brackets that are open at once; those in quoted text count as well."""
    depth = 0
    deepest = 0
    for character in re.findall(r"[\[\]{}]", text):
        depth += 1 if character in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def read_json(path: Path, expected: str) -> Settings:
    """Read a JSON file whose top level is an object.

    Args:
        path: the file.
        expected: the object's content, for messages.

    Raises:
        CheckpointError: it cannot be read, is not JSON, is too large or too deep, or not an object.
    """
    text = read_text(path, _MAX_BYTES, "a dataset.json")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON: {_first_line(error)}.") from error
    return Settings(path, _mapping(values, path, expected))


def _mapping(values: object, path: Path, expected: str) -> Mapping[str, Any]:
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} holds {json_noun(values)}, but {expected} was expected.")
    return values


def _check_size(root: yaml.Node, path: Path) -> None:
    """Count every value, references by what they stand for; refuse loops and repeated keys."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size_of(node: yaml.Node) -> int:
        if id(node) in open_nodes:
            raise CheckpointError(f"{path} is not a configuration: a value refers to itself.")
        if id(node) in sizes:
            return sizes[id(node)]
        open_nodes.add(id(node))
        size = 1
        for inner in _inner_nodes(node):
            size += size_of(inner)
        open_nodes.remove(id(node))
        sizes[id(node)] = size
        if size > _MAX_NODES:
            raise CheckpointError(
                f"{path} is not a configuration: it has more than {_MAX_NODES} values, most of "
                "them by references (*name) to each other."
            )
        if isinstance(node, yaml.MappingNode):
            _refuse_repeated_keys(node, path)
        return size

    size_of(root)


def _inner_nodes(node: yaml.Node) -> list[yaml.Node]:
    inner: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner.extend((key, value))
    elif isinstance(node, yaml.SequenceNode):
        inner.extend(node.value)
    return inner


def _refuse_repeated_keys(node: yaml.MappingNode, path: Path) -> None:
    seen = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
            continue
        if key.value in seen:
            raise CheckpointError(
                f"{path} gives {excerpt(key.value, 60)} twice. Keep the one that the run used."
            )
        seen.add(key.value)


def unwrapped(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take ``value`` out of each entry that a run logger wrote as ``desc`` and ``value``.

    Args:
        values: the content of a configuration file.
    """
    result = {}
    for key, entry in values.items():
        is_wrapped = (
            isinstance(entry, dict) and "value" in entry and set(entry) <= {"desc", "value"}
        )
        result[key] = entry["value"] if is_wrapped else entry
    return result


def resolved(value: Any, place: Sequence[str], root: Mapping[str, Any], path: Path) -> Any:
    """Resolve a value that is a reference to another setting, such as ``${.hidden_size}``.

    Args:
        value: any value; what is not a reference is returned as it is.
        place: keys that lead to the value from the root.
        root: the content of the file.
        path: the file, for messages.

    Raises:
        ConfigError: the reference leads nowhere, or asks for something that is not a setting.
    """
    for _ in range(_MAX_HOPS):
        if not isinstance(value, str) or "${" not in value:
            return value
        match = _REFERENCE.fullmatch(value.strip())
        target = None
        if match is not None:
            dots, name = match.groups()
            base = place[: len(place) - len(dots)] if dots else ()
            if len(dots) <= len(place):
                place = (*base, *name.split("."))
                target = _lookup(root, place)
        if target is None:
            break
        value = target
    raise ConfigError(
        f"{path}: {'.'.join(place)} is the interpolation {excerpt(value, 60)}, which cannot be "
        "resolved in this file. Write the number or word that the run used."
    )


def _lookup(root: Mapping[str, Any], place: Sequence[str]) -> Any:
    value: Any = root
    for key in place:
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = value[key]
    return value


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return excerpt(lines[0] if lines else type(error).__name__).rstrip(".")
