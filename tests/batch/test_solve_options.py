from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest

from tests.replaced import replace_bundle
from trm_edge.batch.solve_options import SolveOptions
from trm_edge.bundle import MANIFEST, Bundle
from trm_edge.cli.search_options import SearchOptions
from trm_edge.errors import BundleError
from trm_edge.files import hash_file
from trm_edge.loop.halting import HaltingRule

SEARCH = SearchOptions(4, ("forms",), None, 0, "valid", 1.0, False, 0.0, None)


@pytest.fixture
def path(old_bundles: Path, tmp_path: Path) -> Path:
    """A bundle that a test may change."""
    return Path(shutil.copytree(old_bundles / "toy-fp32", tmp_path / "bundle"))


def options_of(bundle: Bundle) -> SolveOptions:
    halting = HaltingRule.from_config(bundle.config)
    return SolveOptions.of(bundle, "cpu", halting=halting, search=SEARCH, slots=4, threads=2)


def test_the_hash_is_that_of_the_manifest(path: Path) -> None:
    options = options_of(Bundle.open(path))
    assert options.manifest_sha256 == hash_file(path / MANIFEST)
    assert (options.bundle, options.target, options.slots, options.threads) == (path, "cpu", 4, 2)


def test_a_bundle_that_is_replaced_while_it_is_opened_is_refused(path: Path) -> None:
    """Workers would load other weights than those that were checked."""
    bundle = Bundle.open(path)
    replace_bundle(path, "another")
    with pytest.raises(BundleError, match="was replaced while it was opened"):
        options_of(bundle)


def test_options_reach_a_worker_unchanged(path: Path) -> None:
    options = options_of(Bundle.open(path))
    assert pickle.loads(pickle.dumps(options)) == options
