"""Recipe files: TOML files that change single settings of a calibration recipe."""

from __future__ import annotations

from pathlib import Path

from trm_edge import toml_file, typed_values
from trm_edge.calibration.recipe import CalibrationRecipe, QType
from trm_edge.errors import ConfigError


def read_recipe(path: Path, qtype: QType, base: CalibrationRecipe) -> CalibrationRecipe:
    """Read a recipe file.

    Its top-level keys are fields of :class:`~trm_edge.calibration.recipe.CalibrationRecipe`::

        method = "percentile"
        percentile = 99.9
        bias_correction = true

    Args:
        path: the TOML file.
        qtype: quantized type that the recipe is for.
        base: the recipe whose fields the file overrides.

    Returns:
        ``base`` with the values of the file.

    Raises:
        ConfigError: the file cannot be read, is not TOML, has an unknown key, or a value has the
            wrong type, is out of range or contradicts another.
    """
    overrides = toml_file.read_toml(path)
    try:
        recipe = typed_values.build(CalibrationRecipe, {**base.to_dict(), **overrides})
        recipe.require_qtype(qtype)
    except ConfigError as error:
        reason = str(error).rstrip(".")
        raise ConfigError(f"{path} is not a calibration recipe for {qtype}: {reason}.") from error
    return recipe
