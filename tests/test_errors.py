"""The error tree that errors.py draws is the tree of its classes."""

import inspect
import re

import pytest

from trm_edge import errors
from trm_edge.errors import MissingExtraError

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and value.__module__ == errors.__name__
}


def test_the_drawn_tree_is_the_class_tree() -> None:
    drawn = {}
    parents: dict[int, str] = {}
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"((?:│   )*)(├── |└── )?([A-Z]\w+)( {2,}|$)", line)
        if match is None:
            continue
        indent, branch, name, _ = match.groups()
        depth = len(indent) // 4 + 1 if branch else 0
        parents[depth] = name
        if branch:
            drawn[name] = parents[depth - 1]
    actual = {}
    for name, value in CLASSES.items():
        actual[name] = value.__bases__[0].__name__
    assert actual.pop("TrmEdgeError") == "Exception"
    assert drawn == actual


@pytest.mark.parametrize("name", CLASSES)
def test_every_error_is_documented(name: str) -> None:
    assert CLASSES[name].__doc__


def test_a_missing_extra_says_how_to_install_it() -> None:
    error = MissingExtraError("torch", "export", "Exporting a checkpoint")
    assert str(error) == (
        "Exporting a checkpoint needs the package torch, which is not installed. "
        "Install it with: pip install 'trm-edge[export]'"
    )
    assert (error.package, error.extra) == ("torch", "export")
