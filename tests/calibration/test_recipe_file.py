from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from tests.calibration.test_recipe import CHANGED
from trm_edge.calibration.recipe import CalibrationRecipe, QType
from trm_edge.calibration.recipe_file import read_recipe
from trm_edge.errors import ConfigError

INT8 = CalibrationRecipe.default("int8")


def toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return str(list(value))
    return repr(value)


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    return tmp_path / "recipe.toml"


def test_every_field_can_be_set(recipe_file: Path) -> None:
    lines = []
    for field in fields(CalibrationRecipe):
        value = getattr(CHANGED, field.name)
        assert value != getattr(INT8, field.name)
        lines.append(f"{field.name} = {toml(value)}")
    recipe_file.write_text("\n".join(lines))
    assert read_recipe(recipe_file, "int8", INT8) == CHANGED


def test_absent_keys_keep_the_values_of_the_base(recipe_file: Path) -> None:
    recipe_file.write_text("bias_correction = true\nequalisation = [0, 1]\n")
    base = CalibrationRecipe.static("int8")
    recipe = read_recipe(recipe_file, "int8", base)
    assert (recipe.activations, recipe.method) == (base.activations, base.method)
    assert recipe.bias_correction
    assert recipe.equalisation == (0.0, 1.0)


def test_an_empty_file_changes_nothing(recipe_file: Path) -> None:
    recipe_file.write_text("")
    assert read_recipe(recipe_file, "int8", INT8) == INT8


@pytest.mark.parametrize(
    ("text", "qtype", "message"),
    [
        ("puzzle = 4", "int8", "unknown puzzle; the keys are puzzles, batch, carries, "),
        ("[calibration]\npuzzles = 4", "int8", "unknown calibration; the keys are puzzles, "),
        ("puzzles = 'many'", "int8", r"expected int, got str in puzzles\.$"),
        ("puzzles = true", "int8", r"expected int, got bool in puzzles\.$"),
        ("steps = [1, 'last']", "int8", r"expected int, got str in steps"),
        ("bias_correction = 1", "int8", "expected bool, got int in bias_correction"),
        ("method = 'median'", "int8", "'median' in method"),
        ("puzzles = 0", "int8", r"puzzles must be 1 or more, but got 0\.$"),
        ("equalisation = [1.5]", "int8", "equalisation must be one or more powers within"),
        ("activations = 'per_token'\nmethod = 'mse'", "int8", "method must be 'max' with"),
        ("activations = 'per_layer'\nmethod = 'entropy'", "fp8", "percentile for fp8, but got"),
        ("activations = 'per_layer'", "int4", "activations must be 'float' for int4"),
    ],
)
def test_content_that_is_not_a_recipe_is_refused(
    text: str, qtype: QType, message: str, recipe_file: Path
) -> None:
    recipe_file.write_text(text)
    with pytest.raises(ConfigError, match=message) as raised:
        read_recipe(recipe_file, qtype, CalibrationRecipe.default(qtype))
    assert str(raised.value).startswith(f"{recipe_file} is not a calibration recipe for {qtype}: ")


@pytest.mark.parametrize("content", [b"puzzles = ", b"\xff\xfe", b"[" * 5000])
def test_a_file_that_is_not_toml_is_refused(content: bytes, recipe_file: Path) -> None:
    recipe_file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"recipe\.toml is not valid TOML: "):
        read_recipe(recipe_file, "int8", INT8)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*absent\.toml: No such file"):
        read_recipe(tmp_path / "absent.toml", "int8", INT8)
    with pytest.raises(ConfigError, match=r"cannot read .*: "):
        read_recipe(tmp_path, "int8", INT8)
