"""The committed inputs of coverage-guided fuzzing, read again; ``make fuzz`` looks for new ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.coverage_guided.parsers import CORPUS, PARSERS

INPUTS = sorted(path for path in CORPUS.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_every_input_is_read_or_refused(path: Path) -> None:
    PARSERS[path.parent.name](path.read_bytes())


def test_every_parser_has_inputs() -> None:
    assert {path.parent.name for path in INPUTS} == set(PARSERS)
