"""Emulated runs, with this machine's own interpreter in place of an emulated one."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.benchmarks.scripts import FOLDER, emulated, emulation
from trm_edge.bundle import Bundle
from trm_edge.evaluation.machine import Machine as ThisMachine
from trm_edge.evaluation.steps import float32_backend
from trm_edge.evaluation.vectors import ParityVectors

ROOT = Path(__file__).parents[2]
PLAN = emulation("recordings").Plan(puzzles=3, steps=2, parity_puzzles=2)


def interpreter(name: str, *command: str) -> Any:
    """This interpreter under another machine's name; tests run from a checkout."""
    return emulation("interpreter").Interpreter(name, command or (sys.executable,), ROOT)


def machine(name: str) -> Any:
    (selected,) = emulation("machines").machines_named((name,))
    return selected


@pytest.fixture(scope="module")
def native(toy_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Recordings of the toy bundle by this machine."""
    python = interpreter("native")
    folder = tmp_path_factory.mktemp("native")
    record_answers = emulation("recordings").record_answers
    recordings: list[Any] = record_answers(
        {"int8": python, "float32": python}, "toy", toy_bundle, PLAN, folder
    )
    return recordings


def rows_of(recordings: list[Any], native: list[Any]) -> list[Any]:
    rows: list[Any] = emulation("compare").compare_recordings([*native, *recordings], native)
    return rows


def relabelled(recording: Any, **arrays: Any) -> Any:
    """The recording of another machine that computed these arrays instead."""
    return replace(recording, machine="other", vectors=replace(recording.vectors, **arrays))


# --- what a machine records ---------------------------------------------------------------------


def test_recordings_are_the_answers_of_the_bundle(native: list[Any], toy_bundle: Path) -> None:
    bundle = Bundle.open(toy_bundle)
    assert [recording.precision for recording in native] == ["float32", "int8"]
    for recording in native:
        vectors: ParityVectors = recording.vectors
        assert vectors.q_halt.shape == (3, 2)
        np.testing.assert_array_equal(vectors.tokens, bundle.parity().tokens[:3])
        assert recording.peak_bytes > 10_000_000
    backend = float32_backend(bundle)
    assert backend is not None
    reference = bundle.parity().first(3)
    np.testing.assert_allclose(
        native[0].vectors.q_halt, reference.q_halt[:, :2], rtol=1e-3, atol=1e-3
    )


def test_no_memory_is_translated_code_without_an_emulator() -> None:
    """In a process of its own, since a compiler that another test has loaded maps such memory."""
    program = "from lib.emulation.record import translated_code; print(translated_code())"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=FOLDER, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == 0


# --- comparison ---------------------------------------------------------------------------------


def test_the_same_answers_are_no_problem(native: list[Any]) -> None:
    other = [replace(recording, machine="other") for recording in native]
    rows = rows_of(other, native)
    assert len(rows) == 4
    for row in rows:
        assert (row.same_answers, row.same_steps, row.changed) == (3, 3, 0)
        assert row.q_halt_difference == 0
        assert row.cosines_native == pytest.approx((1, 1))
    assert emulation("compare").problems(rows) == []


def test_carries_that_moved_further_than_by_quantization_are_a_problem(native: list[Any]) -> None:
    float32, int8 = native
    opposite = {name: -carry for name, carry in int8.vectors.carries.items()}
    moved = relabelled(int8, carries=opposite)
    rows = rows_of([relabelled(float32), moved], native)
    (sentence,) = emulation("compare").problems(rows)
    assert sentence.startswith("other, toy: carries are 2.0e+00 from those of native INT8")


def test_changed_answers_and_steps_are_counted_once(native: list[Any]) -> None:
    float32, int8 = native
    same_every_step = np.repeat(int8.vectors.predictions[:, -1:], 2, axis=1)
    steady = replace(int8, vectors=replace(int8.vectors, predictions=same_every_step))
    predictions = same_every_step.copy()
    predictions[0] = (predictions[0] + 1) % 2
    steps = int8.vectors.halting_steps.copy()
    steps[:2] = 3 - steps[:2]
    changed = relabelled(int8, predictions=predictions, halting_steps=steps)
    row = rows_of([changed], [float32, steady])[-1]
    assert (row.same_answers, row.same_steps) == (2, 1)
    assert row.changed == 2


def test_more_changed_puzzles_than_float32_changes_are_a_problem(native: list[Any]) -> None:
    rows = rows_of([replace(recording, machine="other") for recording in native], native)
    rows = [replace(row, puzzles=16) for row in rows]
    problems = emulation("compare").problems
    assert problems([*rows[:3], replace(rows[3], changed=5)]) == []
    (sentence,) = problems([*rows[:3], replace(rows[3], changed=8)])
    assert sentence == "other, toy: INT8 changes 8 of 16 puzzles, float32 0"
    assert problems([*rows[:2], replace(rows[2], changed=5), replace(rows[3], changed=8)]) == []


@pytest.mark.parametrize(
    ("changed", "floor", "puzzles", "expected"),
    [(0, 0, 8, 1.0), (1, 1, 1, 1.0), (1, 0, 1, 0.5), (4, 0, 4, 1 / 70), (3, 1, 4, 17 / 70)],
)
def test_fisher_exact(changed: int, floor: int, puzzles: int, expected: float) -> None:
    p_value = emulation("compare").fisher_exact(changed, floor, puzzles)
    assert p_value == pytest.approx(expected)


def test_a_table_has_a_line_for_each_row(native: list[Any]) -> None:
    natives = {"toy": {"machine": "this CPU", "instructions": "all of it"}}
    text = emulation("page").table(rows_of([], native), natives)
    lines = text.splitlines()
    assert len(lines) == 4
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2].startswith("| native | all of it | toy | float32 | 3 of 3 | 3 of 3 |")


# --- machines -----------------------------------------------------------------------------------


def test_an_emulated_process_reads_the_cpuinfo_of_its_cpu(tmp_path: Path) -> None:
    site = tmp_path / "site"
    for cpu in emulation("machines").MACHINES:
        python = emulation("interpreter").emulated_interpreter(cpu, tmp_path, site)
        cpuinfo = (tmp_path / "proc/cpuinfo").read_text()
        assert cpuinfo.count("processor: ") == 2
        assert "avx512" not in cpuinfo
        assert python.command[1:5] == ("-cpu", cpu.cpu, "-L", str(tmp_path))


def test_an_emulator_runs_the_commands(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an emulator that starts the same interpreter on this machine's own CPU."""
    emulator = tmp_path / "qemu-x86_64-static"
    emulator.write_text(f'#!/bin/sh\n[ $2 = Nehalem ] && shift 5 && exec {sys.executable} "$@"\n')
    emulator.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    python = emulation("interpreter").emulated_interpreter(machine("Nehalem"), tmp_path, ROOT)
    record_answers = emulation("recordings").record_answers
    interpreters = {"int8": python, "float32": python}
    recordings = record_answers(interpreters, "toy", toy_bundle, PLAN, tmp_path)
    assert [recording.machine for recording in recordings] == ["Nehalem", "Nehalem"]
    assert rows_of(recordings, recordings)[-1].changed == 0


def test_a_failed_command_is_quoted_without_the_emulators_warnings() -> None:
    script = "import sys; print('warning: TCG doesn\\'t support requested feature: CPUID'"
    script += ", file=sys.stderr); sys.exit('no such kernel')"
    error = emulation("errors").EmulationError
    with pytest.raises(error, match=r"^toy: python -c .* exited with 1:\nno such kernel$"):
        interpreter("toy").run("-c", script)


def test_doctor_is_held_to_what_the_cpu_does() -> None:
    from trm_edge.backends.integer_kernels import kernels_are_exact

    check = emulation("commands").check_installation
    right = replace(machine("Nehalem"), exact_kernels=kernels_are_exact())
    check(interpreter("toy"), right)
    wrong = replace(right, exact_kernels=not kernels_are_exact())
    with pytest.raises(emulation("errors").EmulationError, match="doctor's exact_int8 is"):
        check(interpreter("toy"), wrong)


def test_the_commands_run_on_a_bundle(toy_bundle: Path, tmp_path: Path) -> None:
    """All but solve, which has no puzzles for a toy."""
    wrapper = tmp_path / "python.sh"
    answer = '{"answer": "1"}'
    wrapper.write_text(
        f"#!/bin/sh\n[ $3 = solve ] && echo '{answer}' && exit\nexec {sys.executable} \"$@\"\n"
    )
    wrapper.chmod(0o755)
    emulation("commands").check_bundle(interpreter("toy", str(wrapper)), toy_bundle, 2)


def test_a_command_that_answers_nothing_is_an_error(tmp_path: Path) -> None:
    fake = tmp_path / "fake.sh"
    fake.write_text("#!/bin/sh\necho '{\"answer\": null}'\n")
    fake.chmod(0o755)
    error = emulation("errors").EmulationError
    with pytest.raises(error, match="solve answered 0 of 1"):
        emulation("commands").check_bundle(interpreter("toy", str(fake)), tmp_path, 2)


def test_an_architecture_runs_one_machine_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its root holds the cpuinfo of one CPU."""
    script = emulated()
    running: list[str] = []
    together: list[int] = []

    def run(cpu: Any, *_: Any) -> list[Any]:
        running.append(cpu.architecture)
        together.append(running.count(cpu.architecture))
        time.sleep(0.01)
        running.remove(cpu.architecture)
        return [cpu.name]

    monkeypatch.setattr(script, "_run", run)
    machines = emulation("machines").MACHINES
    finished = list(script._run_all(machines, {}, PLAN, tmp_path, {}))
    assert sorted(finished) == sorted([cpu.name] for cpu in machines)
    assert set(together) == {1}


# --- what is installed --------------------------------------------------------------------------


def test_missing_packages_without_apt_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = emulation("packages")
    monkeypatch.setattr(packages, "_search_path", lambda: str(tmp_path))
    assert packages.missing_packages() == ["debootstrap", "dpkg", "qemu-user-static"]
    with pytest.raises(emulation("errors").EmulationError, match="there is no apt-get here"):
        packages.install_packages()


def test_packages_that_cannot_be_had_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apt_get = tmp_path / "apt-get"
    apt_get.write_text('#!/bin/sh\necho "E: Unable to locate package"\nexit 100\n')
    apt_get.chmod(0o755)
    packages = emulation("packages")
    monkeypatch.setattr(packages, "_search_path", lambda: f"{tmp_path}:/bin")
    monkeypatch.setattr(packages, "PROGRAMS", {"no-such-program": "qemu-user-static"})
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(emulation("errors").EmulationError, match="cannot install qemu-user-static"):
        packages.install_packages()


def test_a_complete_root_is_reused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = emulation("roots")
    monkeypatch.setattr(roots, "run_as_root", None)
    (tmp_path / ".complete").touch()
    roots.make_arm_root(tmp_path)


def test_an_incomplete_root_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = emulation("roots")
    commands = []
    monkeypatch.setattr(roots, "run_as_root", lambda command, failure: commands.append(command))
    root = tmp_path / "arm64"
    root.mkdir()
    (root / "left over").touch()
    with pytest.raises(emulation("errors").EmulationError, match=r"0 packages hold no .*python3"):
        roots.make_arm_root(root)
    assert commands[0][:2] == ["debootstrap", "--arch=arm64"]
    assert not (root / "left over").exists()


def test_figures_of_other_machines_stay(native: list[Any], tmp_path: Path) -> None:
    update_report = emulation("report").update_report
    haswell = [replace(recording, machine="Haswell") for recording in native]
    update_report(tmp_path, rows_of(haswell, native), PLAN)
    nehalem = [replace(recording, machine="Nehalem") for recording in native]
    report = update_report(tmp_path, rows_of(nehalem, native), PLAN)
    machines = [row["machine"] for row in report["rows"]]
    assert machines == ["native", "native", "Haswell", "Haswell", "Nehalem", "Nehalem"]
    assert report == json.loads((tmp_path / "emulated.json").read_text()) | {"rows": report["rows"]}
    page = (tmp_path / "emulated.md").read_text()
    assert "On no machine does INT8 change more than float32 itself." in page
    report = update_report(tmp_path, rows_of(nehalem, native), replace(PLAN, steps=5))
    assert {row["machine"] for row in report["rows"]} == {"native", "Nehalem"}


def test_figures_of_other_models_stay_with_their_native_machine(
    native: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report_of = emulation("report")
    first = ThisMachine.current()
    report_of.update_report(tmp_path, rows_of([], native), PLAN)
    second = replace(first, cpu="another CPU", instructions=("avx2",))
    monkeypatch.setattr(ThisMachine, "current", lambda: second)
    other_model = [replace(recording, model="other toy") for recording in native]
    report = report_of.update_report(tmp_path, rows_of([], other_model), PLAN)
    kinds = {model: machine["machine"] for model, machine in report["natives"].items()}
    assert kinds == {"toy": first.kind, "other toy": second.kind}
    assert [row["model"] for row in report["rows"]] == ["other toy"] * 2 + ["toy"] * 2
    assert "| native | x64, AVX2 without VNNI | other toy |" in report_of.report_table(report)

    nehalem = [replace(recording, machine="Nehalem") for recording in native]
    report_of.update_report(tmp_path, rows_of(nehalem, native), PLAN)
    monkeypatch.setattr(ThisMachine, "current", lambda: first)
    report = report_of.update_report(tmp_path, rows_of([], native), PLAN)
    rows = [(row["model"], row["machine"]) for row in report["rows"]]
    assert rows == [("other toy", "native")] * 2 + [("toy", "native")] * 2


def test_the_committed_figures_are_of_every_machine() -> None:
    report = json.loads((ROOT / "benchmarks" / "results" / "emulated.json").read_text())
    machines = ["native", *(cpu.name for cpu in emulation("machines").MACHINES)]
    expected = set(itertools.product(machines, emulated().MODELS, ["float32", "int8"]))
    assert {(row["machine"], row["model"], row["precision"]) for row in report["rows"]} == expected
    assert emulation("report").report_problems(report) == []


def test_the_documentation_shows_the_committed_table() -> None:
    report = json.loads((ROOT / "benchmarks" / "results" / "emulated.json").read_text())
    table = emulation("report").report_table(report)
    document = (ROOT / "docs" / "quantization.md").read_text()
    assert f"<!-- table emulated -->\n{table}\n<!-- end -->" in document
