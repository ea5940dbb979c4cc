"""Checkpoints of a hub, from a server on this machine: chosen, pinned, bounded and cached."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants

from tests.export.hub_server import COMMIT, GATED, REPOSITORY, Hub, files_of, serving
from tests.logs import logged
from tests.toys import BASE, write_run
from trm_edge.errors import CheckpointError
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.files import hash_file

NAME = f"hf:{REPOSITORY}"


@pytest.fixture
def run_files(tmp_path: Path) -> dict[str, bytes]:
    write_run(tmp_path / "run", BASE, step=9)
    return files_of(tmp_path / "run")


@pytest.fixture
def hub(
    run_files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Hub]:
    with serving(Hub(run_files)) as served:
        use(served.url, tmp_path / "cache", monkeypatch)
        yield served


def use(url: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point huggingface_hub to a server; it read its environment when it was imported."""
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr("huggingface_hub.hf_api.ENDPOINT", url, raising=False)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True, raising=False)


def load(name: str) -> object:
    return load_checkpoint(Path(name))


def message_of(name: str) -> str:
    with pytest.raises(CheckpointError) as caught:
        load(name)
    return str(caught.value)


@pytest.mark.parametrize("suffix", ["", "@main", "@v1", f"@{COMMIT}", ":step_9", "@v1:step_9"])
def test_a_checkpoint_and_its_configuration(suffix: str, hub: Hub) -> None:
    with logged() as lines:
        loaded = load_checkpoint(Path(NAME + suffix))
    assert loaded.config == BASE
    assert loaded.hub is not None
    assert (loaded.hub.repository, loaded.hub.commit) == (REPOSITORY, COMMIT)
    assert loaded.hub.file == "step_9"
    assert loaded.sha256 == hash_file(loaded.hub.path)
    assert any(f"is commit {COMMIT}: step_9" in line for line in lines)
    assert sorted(hub.downloads) == ["all_config.yaml", "dataset.json", "step_9"]


def test_the_run_s_names_come_with_it(hub: Hub) -> None:
    hub.files = {**hub.files, "identifiers.json": b'["<blank>", "a", "b"]'}
    assert load_checkpoint(Path(NAME)).identifiers == ["<blank>", "a", "b"]
    assert "identifiers.json" in hub.downloads


def test_what_is_in_the_cache_is_not_downloaded_again(hub: Hub) -> None:
    load(NAME)
    first = list(hub.downloads)
    load(NAME)
    assert hub.downloads == first


def test_offline_the_cache_is_used(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    load(NAME)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for suffix in ("", "@main", f"@{COMMIT}", ":step_9"):
        loaded = load_checkpoint(Path(NAME + suffix))
        assert loaded.hub is not None
        assert loaded.hub.commit == COMMIT
    message = message_of(f"{NAME}@v1")
    assert message.startswith("HF_HUB_OFFLINE is set, and hf:owner/tiny@v1 is not in the cache")
    assert "Run the same command once with a connection" in message
    assert "so only the cache was looked at" in message_of(f"{NAME}:step_10")


def test_without_a_connection_the_cache_is_used(
    run_files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(Hub(run_files)) as served:
        use(served.url, tmp_path / "cache", monkeypatch)
        load(NAME)
    with logged() as lines:
        load(NAME)
    assert any(f"so {COMMIT} is taken from the cache" in line for line in lines)
    assert "the hub cannot be reached" in message_of("hf:owner/other")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hf:owner/absent", "there is no model owner/absent on http.*or it is private"),
        (f"{NAME}@v2", "has no revision v2. Leave out @REVISION"),
        (f"{NAME}:step_7", "no such file. owner/tiny holds all_config.yaml, dataset.json, step_9"),
        (f"hf:{GATED}", "is gated. Accept its terms on http.*/owner/gated, then log in"),
    ],
)
def test_what_does_not_exist(name: str, message: str, hub: Hub) -> None:
    with pytest.raises(CheckpointError, match=message):
        load(name)
    assert hub.downloads == []


@pytest.mark.parametrize(
    ("file", "claimed"),
    [("step_9", 9 << 30), ("all_config.yaml", 2 << 20), ("identifiers.json", 256 << 20)],
)
def test_sizes_are_bounded_before_a_download(file: str, claimed: int, hub: Hub) -> None:
    hub.files = {"identifiers.json": b"[]", **hub.files}
    hub.claimed = {file: claimed}
    assert f"hf:owner/tiny:{file} has {claimed:,} bytes, but at most" in message_of(NAME)
    assert hub.downloads == []


def test_the_only_folder_with_weights(hub: Hub) -> None:
    hub.files = {"README.md": b"#", **{f"maze/{name}": text for name, text in hub.files.items()}}
    for suffix in ("", ":maze", ":maze/step_9"):
        loaded = load_checkpoint(Path(NAME + suffix))
        assert loaded.hub is not None
        assert loaded.hub.file == "maze/step_9"
        assert loaded.config == BASE


def test_several_folders_with_weights_are_a_question(hub: Hub) -> None:
    hub.files = {"a/step_1": b"x", "b/step_2": b"x", "b/step_1": b"x"}
    assert "Pass one: hf:owner/tiny:a/step_1, hf:owner/tiny:b/step_2." in message_of(NAME)


def test_no_weights(hub: Hub) -> None:
    hub.files = {"README.md": b"#"}
    assert "no file that could be weights. owner/tiny holds README.md" in message_of(NAME)


def test_a_pointer_in_place_of_the_weights(hub: Hub) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"
    hub.files = {**hub.files, "step_9": pointer}
    assert "Git LFS pointer" in message_of(NAME)


def test_safetensors_with_a_config_json(hub: Hub, tmp_path: Path) -> None:
    import json

    import yaml

    settings = yaml.safe_load(hub.files["all_config.yaml"])
    content = tmp_path / "pytorch_model.bin"
    content.write_bytes(hub.files["step_9"])
    assert isinstance(torch.load(content, weights_only=True), dict)
    hub.files = {
        "pytorch_model.bin": hub.files["step_9"],
        "config.json": json.dumps(settings).encode(),
        "dataset.json": hub.files["dataset.json"],
    }
    assert load_checkpoint(Path(NAME)).config == BASE
