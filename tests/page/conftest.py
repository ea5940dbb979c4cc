"""Sites of the bundled models, and visitors to them. `make page-test` sets what they need."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.arc.toy_bundle import ATTENTION, write_bundle
from tests.page.browser import Visit, Visitor, require, served, started_browser
from trm_edge.bundle import Bundle
from trm_edge.page.arc_examples import arc_examples
from trm_edge.page.runtime import find_runtime
from trm_edge.page.site import write_site

MODELS = ("sudoku", "maze")
VARIABLE = "TRM_EDGE_PAGE_BUNDLES"


@pytest.fixture(scope="session")
def bundles() -> dict[str, Path]:
    """INT8 bundles of the bundled models, by task."""
    folder = Path(os.environ.get(VARIABLE, "")).absolute()
    paths = {model: folder / model for model in MODELS}
    is_there = VARIABLE in os.environ and all(
        (p / "manifest.json").exists() for p in paths.values()
    )
    require(
        is_there, f"needs bundles of {' and '.join(MODELS)} in the folder that {VARIABLE} names"
    )
    return paths


@pytest.fixture(scope="session")
def sites(bundles: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sites of these bundles; ONNX Runtime Web comes from the cache or by npm."""
    folder = tmp_path_factory.mktemp("sites")
    runtime = find_runtime()
    for model, bundle in bundles.items():
        write_site(Bundle.open(bundle), runtime, folder / model)
    return {model: folder / model for model in bundles}


@pytest.fixture(scope="session")
def arc_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An INT8 bundle of a random model with rows for two ARC tasks, beside their ``tasks.json``."""
    return write_bundle(tmp_path_factory.mktemp("arc"), "int8", ATTENTION)


@pytest.fixture(scope="session")
def arc_url(arc_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the site of that bundle."""
    bundle = Bundle.open(arc_bundle)
    folder = tmp_path_factory.mktemp("arc-site") / "site"
    examples = arc_examples(bundle, arc_bundle.parent / "tasks.json", augmentations=2)
    write_site(bundle, find_runtime(), folder, arc=examples)
    with served(folder) as site:
        yield site.url


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    with started_browser() as running:
        yield running


@pytest.fixture
def visit(browser: Any) -> Iterator[Visit]:
    """Opens a window of its own on a site; the options are those of Playwright's contexts."""
    contexts = []

    def make(url: str, **options: Any) -> Visitor:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        return Visitor(context.new_page(), url)

    yield make
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def urls(sites: dict[str, Path]) -> Iterator[dict[str, str]]:
    """Addresses of both sites."""
    with served(sites["sudoku"]) as sudoku, served(sites["maze"]) as maze:
        yield {"sudoku": sudoku.url, "maze": maze.url}
