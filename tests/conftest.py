"""Fixtures that many tests share, made once."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest

from tests.toys import BASE, toy_tokens, write_run
from tests.workers import keep_to_own_cores, shared_folder
from trm_edge.calibration.recipe import CalibrationRecipe
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.manifest import Limits
from trm_edge.profile import Precision
from trm_edge.reference import reference_checkpoint
from trm_edge.targets.export_bundle import export_bundle
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.request import ExportRequest
from trm_edge.tasks import task_for

DATA = Path(__file__).parent / "data"
GOLDEN = DATA / "golden"


def pytest_configure(config: pytest.Config) -> None:
    keep_to_own_cores(config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape what no worker could send: tests print what is not text, such as names of files."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report


@pytest.fixture(scope="session")
def toy_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset folder for the base toy, its two splits disjoint."""
    folder = tmp_path_factory.mktemp("toy") / "data"
    for split, seed in (("train", 1), ("test", 2)):
        (folder / split).mkdir(parents=True)
        tokens = toy_tokens(BASE, 8, seed)
        np.save(folder / split / "all__inputs.npy", tokens)
        np.save(folder / split / "all__labels.npy", np.maximum(tokens, 1))
    return folder


@pytest.fixture(scope="session")
def toy_bundle(toy_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An INT8 bundle of the base toy; do not change it."""

    def export(folder: Path) -> None:
        checkpoint = load_checkpoint(write_run(folder / "run", BASE))
        request = ExportRequest(
            checkpoint=checkpoint,
            task=task_for(checkpoint.config),
            precision="int8",
            targets=(load_profile("cpu"),),
            dataset=toy_dataset,
            recipe=CalibrationRecipe(puzzles=4),
            limits=Limits(max_drop=100, min_halting_agreement=0),
        )
        export_bundle(request, folder / "bundle")

    return shared_folder(tmp_path_factory, "toy-bundle", export) / "bundle"


@pytest.fixture(scope="session")
def old_bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of toy-fp32 (Sudoku) and toy-int8, bundles that the first version wrote."""
    folder = tmp_path_factory.mktemp("old")
    for name in ("bundle-1-fp32", "bundle-1-int8"):
        with tarfile.open(DATA / f"{name}.tar.gz") as archive:
            archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def toy_bundle_copy(toy_bundle: Path, tmp_path: Path) -> Path:
    """A copy of the toy bundle that a test may change."""
    return Path(shutil.copytree(toy_bundle, tmp_path / "bundle"))


@pytest.fixture(scope="session")
def reference_bundle(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The shipped model of the parameter's task and precision, as `trm-edge export` makes it."""
    task: str
    precision: Precision
    task, precision = request.param

    def export(folder: Path) -> None:
        checkpoint = load_checkpoint(reference_checkpoint(task))
        order = ExportRequest(
            checkpoint=checkpoint,
            task=task_for(checkpoint.config),
            precision=precision,
            targets=(load_profile("cpu"),),
        )
        export_bundle(order, folder / "bundle")

    return shared_folder(tmp_path_factory, f"{task}-{precision}", export) / "bundle"
