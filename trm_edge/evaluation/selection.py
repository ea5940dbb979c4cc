"""Selection of targets among several bundles."""

from __future__ import annotations

from collections.abc import Sequence

from trm_edge.bundle import Bundle
from trm_edge.errors import BundleError
from trm_edge.suggestions import did_you_mean


def select_targets(
    bundles: Sequence[Bundle], targets: Sequence[str] = ()
) -> list[tuple[Bundle, str]]:
    """List every target of the bundles, or the named ones.

    Args:
        bundles: opened bundles.
        targets: names of targets; all where empty.

    Returns:
        Pairs of bundle and target name, in the order of the bundles and of their manifests.

    Raises:
        BundleError: no bundle has a target of that name; lists the names there are.
    """
    pairs = []
    for bundle in bundles:
        for name in bundle.manifest.targets:
            pairs.append((bundle, name))
    available = sorted({name for _, name in pairs})
    for name in targets:
        if name not in available:
            raise BundleError(
                f"no bundle has a target {name!r}; the targets are {', '.join(available)}."
                f"{did_you_mean(name, available)}"
            )
    if not targets:
        return pairs
    return [(bundle, name) for bundle, name in pairs if name in targets]
