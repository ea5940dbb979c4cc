"""The target of a bundle that a command means."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from trm_edge.errors import BundleError
from trm_edge.manifest import CPU, TargetRecord
from trm_edge.suggestions import did_you_mean


def chosen_target(bundle: Path, targets: Mapping[str, TargetRecord], name: str | None) -> str:
    """Choose a target of a bundle.

    Args:
        bundle: folder of the bundle, for messages.
        targets: its targets by name.
        name: of the target; None: ``cpu``, or the only one where there is no ``cpu``.

    Raises:
        BundleError: there is no such target, or none is named and several could be meant; lists
            the targets.
    """
    if name is None:
        if CPU in targets:
            return CPU
        if len(targets) == 1:
            return next(iter(targets))
        raise BundleError(
            f"{bundle} has several targets and none is cpu: {', '.join(targets)}. Choose one with "
            "--target."
        )
    if name not in targets:
        raise BundleError(
            f"{bundle} has no target {name!r}; it has {', '.join(targets)}."
            f"{did_you_mean(name, targets)} {_how_to_add(bundle, targets, name)}"
        )
    return name


def _how_to_add(bundle: Path, targets: Mapping[str, TargetRecord], name: str) -> str:
    """The command that gives a bundle another target."""
    options = " ".join(f"--target {target}" for target in [*targets, name])
    if list(targets) == [CPU] and targets[CPU].precision == "int8":
        # A CPU rounds some inputs per token, so its calibration lacks their static ranges.
        return f"Export the checkpoint again with: --int8 {options}"
    return f"Add it with: trm-edge export --into {bundle} --target {name}"
