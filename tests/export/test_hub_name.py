"""Names on a hub: their form, and what a path that does not exist may have meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from trm_edge.errors import CheckpointError
from trm_edge.export.hub_name import HubName, is_hub_name, suggestion
from trm_edge.export.weight_choice import find_weights


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hf:owner/name", HubName("owner/name")),
        ("hf:owner/na.me-2", HubName("owner/na.me-2")),
        ("hf:owner/name@v1", HubName("owner/name", "v1")),
        ("hf:owner/name@refs/pr/3", HubName("owner/name", "refs/pr/3")),
        ("hf:owner/name:step_9", HubName("owner/name", None, "step_9")),
        ("hf:owner/name@v1:a/step_9", HubName("owner/name", "v1", "a/step_9")),
        ("hf:owner/name:a/", HubName("owner/name", None, "a")),
        ("hf://owner/name", HubName("owner/name")),
    ],
)
def test_the_parts_of_a_name(text: str, expected: HubName) -> None:
    assert is_hub_name(Path(text))
    assert HubName.parse(text) == expected
    assert HubName.parse(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    ["hf:", "hf:name", "hf:a/b/c", "hf:a/b@", "hf:a/b:", "hf:../x", "hf:a b/c", "hf:a/b@x y"],
)
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(CheckpointError, match=r"form hf:OWNER/NAME\[@REVISION\]\[:FILE\]"):
        HubName.parse(text)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("owner/name", "hf:owner/name"),
        ("https://huggingface.co/owner/name", "hf:owner/name"),
        ("https://huggingface.co/owner/name/", "hf:owner/name"),
        ("https://huggingface.co/owner/name/tree/main", "hf:owner/name@main"),
        ("https://huggingface.co/owner/name/tree/main/sub", "hf:owner/name@main:sub"),
        ("https://hf.co/owner/name/blob/v1/a/step_9", "hf:owner/name@v1:a/step_9"),
        (
            "https://huggingface.co/owner/name/resolve/main/step_9?download=true",
            "hf:owner/name@main:step_9",
        ),
    ],
)
def test_what_a_path_may_have_meant(path: str, expected: str) -> None:
    assert suggestion(Path(path)) == expected
    with pytest.raises(CheckpointError) as caught:
        find_weights(Path(path))
    assert str(caught.value).endswith(f"on a hub, pass {expected}")
    assert HubName.parse(expected).repository == "owner/name"


@pytest.mark.parametrize("path", ["runs/a/step_1", "step_1", "../name", "https://example.com/a/b"])
def test_other_paths_mean_none(path: str) -> None:
    assert suggestion(Path(path)) is None


def test_a_file_of_that_name_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hf:x").write_text("")
    assert not is_hub_name(Path("hf:x"))
