"""The wheel and the source distribution, the cost of imports, and the base install alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SOURCES = {
    "trm_edge": ROOT / "trm_edge",
    "trm_edge.export": ROOT / "export",
    "trm_edge.calibration": ROOT / "calibration",
    "trm_edge.targets": ROOT / "targets",
    "trm_edge.training": ROOT / "training",
}
LINKED = {("export",), ("calibration",), ("targets",), ("training",)}
HEAVY = ("torch", "onnx", "onnxruntime", "tensorrt", "tensorrt_rtx", "modelopt", "rich", "click")


def expected_files() -> set[str]:
    """Every module, and the data that the package declares, as they stand in the wheel."""
    files = set()
    for package in PROJECT["tool"]["setuptools"]["packages"]:
        top = next(name for name in sorted(SOURCES, reverse=True) if package.startswith(name))
        folder = SOURCES[top] / Path(*package.removeprefix(top).strip(".").split("."))
        patterns = ["*.py", *PROJECT["tool"]["setuptools"]["package-data"].get(package, [])]
        for pattern in patterns:
            for file in filter(Path.is_file, folder.glob(pattern)):
                files.add(Path(*package.split("."), file.relative_to(folder)).as_posix())
    return files


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a source distribution and the wheel built from it, as for a release."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)],
        check=True,
        capture_output=True,
        text=True,
    )
    return out


@pytest.fixture(scope="module")
def wheel(distributions: Path) -> Path:
    return next(distributions.glob("*.whl"))


def test_source_distribution_holds_the_sources_and_no_tests(distributions: Path) -> None:
    """Some tests without their data could not run, so none are shipped."""
    with tarfile.open(next(distributions.glob("*.tar.gz"))) as archive:
        names = [name.partition("/")[2] for name in archive.getnames() if "/" in name]
    found = {name for name in names if Path(name).suffix and ".egg-info" not in name}
    expected = {"pyproject.toml", "setup.cfg", "MANIFEST.in", "README.md", "CHANGELOG.md"}
    for name in expected_files():
        parts = name.split("/")
        is_linked = f"trm_edge.{parts[1]}" in SOURCES
        expected.add("/".join(parts[1:] if is_linked else parts))
    extensionless = {name for name in expected if not Path(name).suffix}
    assert found == expected - extensionless
    assert extensionless | {"LICENSE", "PKG-INFO"} <= set(names)


def test_wheel_holds_exactly_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert found == expected_files()
    assert "trm_edge/py.typed" in found
    assert any(name.startswith("trm_edge/reference/sudoku/step_") for name in found)
    assert wheel.stat().st_size < 8_000_000  # three models of 2 MB


def test_models_of_the_repository_stay_in_it(distributions: Path, wheel: Path) -> None:
    """Weight files have no suffix, which the list of the source distribution leaves out."""
    assert (ROOT / "models").is_dir()
    with tarfile.open(next(distributions.glob("*.tar.gz"))) as archive:
        names = archive.getnames()
    with zipfile.ZipFile(wheel) as archive_of_wheel:
        names += archive_of_wheel.namelist()
    assert not [name for name in names if "models" in Path(name).parts]


def test_packages_are_the_folders() -> None:
    found = set()
    for name, folder in SOURCES.items():
        for init in folder.rglob("__init__.py"):
            parts = init.parent.relative_to(folder).parts
            if not (name == "trm_edge" and parts[:1] in LINKED):
                found.add(".".join((name, *parts)))
    assert found == set(PROJECT["tool"]["setuptools"]["packages"])


def test_links_are_the_table() -> None:
    table = dict(PROJECT["tool"]["setuptools"]["package-dir"])
    table.pop("trm_edge")
    links = {name: ROOT / "trm_edge" / name.removeprefix("trm_edge.") for name in table}
    if not any(link.is_symlink() for link in links.values()):
        pytest.skip(
            "this checkout has files in place of the links in trm_edge/; on Windows, clone with: "
            "git clone -c core.symlinks=true"
        )
    for name, link in links.items():
        assert link.is_symlink()
        assert link.readlink() == Path("..") / table[name]


@pytest.mark.parametrize("module", ["trm_edge", "trm_edge.loop.solver", "trm_edge.backends.fake"])
def test_import_is_lean(module: str) -> None:
    script = f"import sys, {module}; print(*sys.modules)"
    out = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {name.partition(".")[0] for name in out} & set(HEAVY)


def test_help_is_lean() -> None:
    script = (
        "import sys\nfrom trm_edge.cli.main import cli\n"
        "cli.main(['--help'], standalone_mode=False)\nprint(*sys.modules, file=sys.stderr)"
    )
    out = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    loaded = {name.partition(".")[0] for name in out.stderr.split()}
    assert not loaded & (set(HEAVY) - {"click", "rich"})


def test_a_device_needs_no_extra(wheel: Path, toy_bundle: Path, tmp_path: Path) -> None:
    """The wheel alone solves, judges, times and builds; exporting names the extra it needs."""
    folder = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    # The packages of the base install are taken from here; those of the extras are hidden.
    hide = (
        "import sys\n"
        "class Hide:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('torch', 'onnx', 'modelopt', 'yaml', 'ml_dtypes'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Hide())\n"
        f"sys.path.insert(0, {str(folder)!r})\n"
        "import trm_edge\n"
        f"assert trm_edge.__file__.startswith({str(folder)!r}), trm_edge.__file__\n"
        "from trm_edge.cli.main import main\n"
        "main(sys.argv[1:])\n"
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", hide, *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )

    line = tmp_path / "puzzles.txt"
    line.write_text(" ".join("1" for _ in range(9)) + "\n")
    for arguments in (
        ("solve", str(toy_bundle), str(line), "--format", "json"),
        ("parity", str(toy_bundle)),
        ("inspect", str(toy_bundle)),
        ("bench", str(toy_bundle), "--rounds", "3"),
        ("doctor",),
        ("targets",),
        ("build", "--help"),
        ("--version",),
    ):
        done = run(*arguments)
        assert done.returncode == 0, done.stderr
    done = run("build", str(toy_bundle))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    done = run("export", "--int8", "-o", "out")
    assert done.returncode == 1
    assert "pip install 'trm-edge[export]'" in done.stderr


def test_a_copied_wheel_installs_without_dependencies(
    wheel: Path, toy_bundle: Path, tmp_path: Path
) -> None:
    """As on a board whose packages must stay as they are: --no-deps, beside what is there."""
    environment = tmp_path / "trm"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    (site,) = environment.glob("lib/python3*/site-packages")
    own = sysconfig.get_paths()["purelib"]
    (site / "board.pth").write_text(f"{own}\n")  # the packages that the board has
    pip = [sys.executable, "-m", "pip", "--python", str(environment)]
    install = [*pip, "install", "--quiet", "--no-deps", "--no-index", "--ignore-installed"]
    subprocess.run([*install, str(wheel)], check=True)
    program = str(environment / "bin" / "trm-edge")
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for arguments in (["--help"], ["inspect", str(toy_bundle)]):
        run = subprocess.run(
            [program, *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=variables,
            check=False,
        )
        assert run.returncode == 0, run.stderr
    python = str(environment / "bin" / "python")
    where = "import trm_edge; print(trm_edge.__file__)"
    run = subprocess.run(
        [python, "-c", where],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=variables,
        check=True,
    )
    assert run.stdout.startswith(str(site))


@pytest.mark.parametrize(
    ("python", "extra", "cuda"), [("3.10", "jetpack6", "12."), ("3.12", "jetpack7", "13.")]
)
def test_a_jetson_gets_wheels_alone_and_nothing_heavy(
    wheel: Path, tmp_path: Path, python: str, extra: str, cuda: str
) -> None:
    """pip resolves the wheel for aarch64, without building anything and without installing it."""
    report = tmp_path / "report.json"
    platforms = ("manylinux_2_35", "manylinux_2_28", "manylinux_2_17", "manylinux2014")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"),
            *("--report", str(report), "--target", str(tmp_path / "never"), "--only-binary=:all:"),
            *("--implementation", "cp", "--python-version", python),
            *(f"--platform={platform}_aarch64" for platform in platforms),
            f"{wheel}[{extra}]",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = {
        item["metadata"]["name"].lower(): item["metadata"]["version"]
        for item in json.loads(report.read_text())["install"]
    }
    assert {"trm-edge", "numpy", "onnxruntime", "click", "rich"} <= set(found)
    assert found["cuda-python"].startswith(cuda)
    assert not set(found) & {"torch", "onnx", "nvidia-modelopt", "tensorrt", "scipy", "pandas"}


@pytest.mark.parametrize("reference_bundle", [("sudoku", "int8")], indirect=True)
def test_solving_needs_little_memory(reference_bundle: Path) -> None:
    """On a board whose 4 GB are the GPU's as well."""
    script = (
        "import sys\nfrom pathlib import Path\nfrom trm_edge.cli.main import cli\n"
        "cli.main(['solve', sys.argv[1], '--format', 'json'], standalone_mode=False)\n"
        "status = Path('/proc/self/status').read_text()\n"
        "print(status.partition('VmHWM:')[2].split()[0], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(reference_bundle)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(done.stderr.split()[-1]) < 200 * 1024  # kB
