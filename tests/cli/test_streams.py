"""Standard streams that are closed, full or left by their reader: a sentence and exit code 1."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from trm_edge.cli.main import main
from trm_edge.cli.streams import is_descriptor_shortage, is_output_failure


def shell(script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script in which $TRM is the command."""
    return subprocess.run(
        ["bash", "-c", script.replace("$TRM", f"{sys.executable} -m trm_edge")],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=240,
    )


def is_quiet(text: str) -> bool:
    return "Traceback" not in text and "Exception ignored" not in text


@pytest.mark.parametrize("command", ["--version", "inspect BUNDLE", "export --help"])
@pytest.mark.parametrize(
    ("redirection", "message"),
    [
        ("> /dev/full", "Error: the output cannot be written: No space left on device."),
        (">&-", "Error: standard output is closed"),
        ("| true; exit ${PIPESTATUS[0]}", ""),
    ],
)
def test_a_standard_output_that_fails(
    command: str, redirection: str, message: str, toy_bundle: Path
) -> None:
    done = shell(f"$TRM {command} {redirection}".replace("BUNDLE", str(toy_bundle)))
    if message:
        assert done.returncode == 1, done.stderr
        assert message in done.stderr
    else:  # a short text may fit into the pipe before its reader leaves
        assert done.returncode in (0, 1)
        assert done.stderr == ""
    assert is_quiet(done.stderr)


@pytest.mark.parametrize("redirection", ["2>&-", "<&-", "<&- 2>&-", "2> /dev/full"])
def test_other_streams_that_fail_do_not_matter(redirection: str, toy_bundle: Path) -> None:
    done = shell(f"$TRM inspect {toy_bundle} {redirection}")
    assert done.returncode == 0
    assert re.search(r"^task +tokens$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("redirection", ["2> /dev/full", "> /dev/full 2>&1", "2>&-", ">&- 2>&-"])
def test_an_error_that_cannot_be_shown_keeps_its_exit_code(redirection: str) -> None:
    assert shell(f"$TRM inspect nowhere {redirection}").returncode in (1, 2)


def test_a_file_never_takes_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    script = (
        "import os\n"
        "from trm_edge.cli.streams import open_closed_descriptors\n"
        "open_closed_descriptors()\n"
        f"print(os.open({str(tmp_path / 'file')!r}, os.O_CREAT | os.O_WRONLY))"
    )
    done = shell(f'{sys.executable} -c "{script}" <&- 2>&-')
    assert int(done.stdout) > 2


@pytest.mark.parametrize("limit", [5, 7, 9, 16])
def test_few_file_descriptors_are_a_sentence_or_enough(limit: int, toy_bundle: Path) -> None:
    done = shell(f"ulimit -n {limit}; echo 1 1 1 1 1 1 1 1 1 | $TRM solve {toy_bundle} -")
    assert done.returncode in (0, 1)
    assert is_quiet(done.stderr)
    if done.returncode == 1:
        assert "oo many open files" in done.stderr


def test_what_counts_as_too_many_open_files() -> None:
    limit = OSError(errno.EMFILE, os.strerror(errno.EMFILE), "x")
    assert is_descriptor_shortage(limit)
    assert is_descriptor_shortage(ImportError("mmap.so: cannot open: Too many open files"))
    wrapped = ImportError("no numpy")
    wrapped.__cause__ = limit
    assert is_descriptor_shortage(wrapped)
    assert not is_descriptor_shortage(ImportError("no numpy"))
    assert not is_descriptor_shortage(OSError(errno.ENOENT, "no such file"))


def test_what_counts_as_a_failure_of_the_output() -> None:
    assert is_output_failure(BrokenPipeError(errno.EPIPE, "broken pipe"))
    assert is_output_failure(OSError(errno.ENOSPC, "no space"))
    assert not is_output_failure(OSError(errno.ENOSPC, "no space", "some file"))
    assert not is_output_failure(OSError(errno.ENOENT, "no such file"))
    assert not is_output_failure(ValueError("no space"))


def test_an_error_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "no such file", "x")

    monkeypatch.setattr("trm_edge.cli.doctor.examine", fail)
    with pytest.raises(FileNotFoundError):
        main(["doctor"])
