"""``pytest --trm-bundle PATH [--trm-baseline FILE]``: a bundle's checks as tests of your own suite.

Each bundle adds ``parity``, one test for every target, and with a baseline one test for every check
of ``trm-edge regress``. Nothing is imported before one of the options is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from trm_edge.regression.check import Check


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("trm-edge", "bundles of Tiny Recursive Models")
    group.addoption(
        "--trm-bundle",
        action="append",
        default=[],
        metavar="PATH",
        help="hold this bundle to its own float32 answers; repeatable",
    )
    group.addoption(
        "--trm-baseline",
        action="append",
        default=[],
        metavar="FILE",
        help="and to this baseline of `trm-edge regress`; as many as there are bundles",
    )


class BundleCollector(pytest.Collector):
    """The tests of one bundle."""

    def __init__(self, *, bundle: Path, baseline: Path | None, **rest: Any) -> None:
        super().__init__(**rest)
        self.bundle, self.baseline = bundle, baseline
        self._checks: dict[str, Check] | None = None

    def collect(self) -> Iterator[pytest.Item]:
        from trm_edge.bundle import Bundle

        opened = Bundle.open(self.bundle)
        for target in opened.manifest.targets:
            yield ParityItem.from_parent(self, name=f"parity[{target}]", target=target)
        if self.baseline is not None:
            from trm_edge.regression.check import CHECKS

            for name in CHECKS:
                yield RegressItem.from_parent(self, name=f"regress[{name}]", check=name)

    def checks(self) -> dict[str, Check]:
        """Every check against the baseline, measured once."""
        if self._checks is None and self.baseline is not None:
            from trm_edge.bundle import Bundle
            from trm_edge.regression.baseline import Measurement
            from trm_edge.regression.budgets import CONFIG, Budgets
            from trm_edge.regression.run import regress

            opened, baseline = Bundle.open(self.bundle), Measurement.read(self.baseline)
            config = self.config.rootpath / CONFIG
            budgets = Budgets.read(config if config.exists() else None)
            found = regress(opened, baseline, budgets)
            self._checks = {check.name: check for check in found}
        return self._checks or {}


class BundleItem(pytest.Item):
    """A test whose failure is a sentence, not a traceback."""

    parent: BundleCollector

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        from trm_edge.errors import TrmEdgeError

        if isinstance(excinfo.value, TrmEdgeError | _Failed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.parent.bundle, None, f"{self.parent.bundle}::{self.name}"


class ParityItem(BundleItem):
    """`trm-edge parity`, for one target."""

    def __init__(self, *, target: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.target = target

    def runtest(self) -> None:
        from trm_edge.bundle import Bundle
        from trm_edge.evaluation.held_out import solve_held_out

        opened = Bundle.open(self.parent.bundle)
        report = solve_held_out(opened, self.target).report()
        broken = report.broken(opened.manifest.limits)
        if broken:
            raise _Failed("\n".join(limit.message for limit in broken))


class RegressItem(BundleItem):
    """One check of `trm-edge regress`."""

    def __init__(self, *, check: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.check = check

    def runtest(self) -> None:
        found = self.parent.checks().get(self.check)
        if found is None:
            pytest.skip("does not apply to this bundle")
        if found.verdict == "not compared":
            pytest.skip(found.line)
        if found.verdict == "regressed":
            raise _Failed(found.line)


class _Failed(Exception):  # noqa: N818 - never leaves this module
    pass


@pytest.hookimpl(tryfirst=True)  # before -k and -m choose
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    bundles, baselines = config.getoption("--trm-bundle"), config.getoption("--trm-baseline")
    if baselines and len(baselines) != len(bundles):
        raise pytest.UsageError(
            f"--trm-baseline was given {len(baselines)} times and --trm-bundle {len(bundles)} "
            "times: pass one baseline for each bundle, or none."
        )
    if not bundles:
        return
    from trm_edge.errors import TrmEdgeError

    for path, baseline in zip(bundles, baselines or [None] * len(bundles), strict=True):
        collector = BundleCollector.from_parent(
            session,
            name=str(path),
            bundle=Path(path),
            baseline=None if baseline is None else Path(baseline),
        )
        try:
            items.extend(collector.collect())
        except TrmEdgeError as error:
            raise pytest.UsageError(str(error)) from error
