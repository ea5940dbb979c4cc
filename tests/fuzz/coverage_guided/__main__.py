"""Coverage-guided fuzzing of one parser: ``python -m tests.fuzz.coverage_guided PARSER [OPTIONS]``.

Needs the package atheris. Options are libFuzzer's, such as ``-max_total_time=300``. An input that
fails is written to the current folder as ``crash-HASH``; it belongs into ``corpus/PARSER`` once the
parser is mended, where tests/fuzz/test_coverage_guided.py reads it again.
"""

from __future__ import annotations

import sys
import tempfile

import atheris  # type: ignore[import-untyped,unused-ignore]

with atheris.instrument_imports(include=["trm_edge"]):
    from tests.fuzz.coverage_guided.parsers import CORPUS, PARSERS


def main() -> None:
    """Fuzz the parser that the command line names, from its committed inputs on."""
    if len(sys.argv) < 2 or sys.argv[1] not in PARSERS:
        sys.exit(f"usage: python -m tests.fuzz.coverage_guided {{{','.join(PARSERS)}}} [OPTIONS]")
    name = sys.argv[1]
    with tempfile.TemporaryDirectory() as found:
        # New inputs go to the first folder; the committed ones are only read.
        arguments = [sys.argv[0], *sys.argv[2:], found, str(CORPUS / name)]
        atheris.Setup(arguments, PARSERS[name])
        atheris.Fuzz()


main()
