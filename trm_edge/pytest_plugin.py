"""Run the checks of bundles as tests: ``pytest --trm-bundle PATH [--trm-baseline FILE]``.

Each bundle adds ``parity``, one test for every target, and with a baseline ``regress``, one test
for every check of ``trm-edge regress``. pytest loads this module in every run wherever trm-edge is
installed, so it imports nothing beyond pytest and does nothing until its option is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from trm_edge.regression.check import Check


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options.

    Args:
        parser: pytest's.
    """
    group = parser.getgroup("trm-edge", "bundles of Tiny Recursive Models")
    group.addoption(
        "--trm-bundle",
        action="append",
        default=[],
        metavar="PATH",
        help="compare this bundle with its own float32 answers; repeatable",
    )
    group.addoption(
        "--trm-baseline",
        action="append",
        default=[],
        metavar="FILE",
        help="also compare it with this baseline of `trm-edge regress`; one for each bundle",
    )


class BundleCollector(pytest.Collector):
    """Collector of one bundle's tests.

    Args:
        bundle: folder of the bundle.
        baseline: baseline of ``trm-edge regress``; None: parity alone is tested.
        arguments: pytest's own.
    """

    def __init__(self, *, bundle: Path, baseline: Path | None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.bundle = bundle
        self.baseline = baseline
        self._checks: dict[str, Check] | None = None

    def collect(self) -> Iterator[pytest.Item]:
        """Make the tests. Opens the bundle and measures nothing.

        Raises:
            BundleError: the bundle is missing, damaged or from a newer version.
        """
        from trm_edge.bundle import Bundle

        opened = Bundle.open(self.bundle)
        for target in opened.manifest.targets:
            yield ParityItem.from_parent(self, name=f"parity[{target}]", target=target)
        if self.baseline is not None:
            from trm_edge.regression.check import CHECK_IDS

            for check_id in CHECK_IDS:
                yield RegressItem.from_parent(self, name=f"regress[{check_id}]", check_id=check_id)

    def checks(self) -> dict[str, Check]:
        """Compare with the baseline, once.

        Returns:
            The checks by identifier; empty without a baseline.

        Raises:
            TrmEdgeError: the bundle, the baseline or the budgets cannot be read, or the engine
                failed.
        """
        if self.baseline is None:
            return {}
        if self._checks is None:
            from trm_edge.bundle import Bundle
            from trm_edge.regression.baseline import Measurement
            from trm_edge.regression.budgets import CONFIG, Budgets
            from trm_edge.regression.run import regress

            opened = Bundle.open(self.bundle)
            baseline = Measurement.read(self.baseline)
            config = self.config.rootpath / CONFIG
            budgets = Budgets.read(config) if config.exists() else Budgets()
            checks = regress(opened, baseline, budgets)
            self._checks = {check.id: check for check in checks}
        return self._checks


class BundleItem(pytest.Item):
    """A test whose failure is a sentence instead of a traceback."""

    parent: BundleCollector

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the message of our own errors, and pytest's traceback of all others.

        Args:
            excinfo: what the test raised.
            style: of pytest's traceback.
        """
        from trm_edge.errors import TrmEdgeError

        if isinstance(excinfo.value, TrmEdgeError | _Failed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Name the test by its bundle: there is no line of code to point to."""
        return self.parent.bundle, None, f"{self.parent.bundle}::{self.name}"


class ParityItem(BundleItem):
    """Test that a target keeps the bundle's limits, as ``trm-edge parity`` does.

    Args:
        target: name of the target.
        arguments: pytest's own.
    """

    def __init__(self, *, target: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.target = target

    def runtest(self) -> None:
        """Solve the held-out puzzles and compare them with the float32 answers."""
        from trm_edge.bundle import Bundle
        from trm_edge.evaluation.held_out import solve_held_out

        opened = Bundle.open(self.parent.bundle)
        report = solve_held_out(opened, self.target).report()
        broken = report.broken(opened.manifest.limits)
        if broken:
            raise _Failed("\n".join(limit.message for limit in broken))


class RegressItem(BundleItem):
    """Test of one check of ``trm-edge regress``.

    Args:
        check_id: identifier of the check.
        arguments: pytest's own.
    """

    def __init__(self, *, check_id: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.check_id = check_id

    def runtest(self) -> None:
        """Look up the check; skip it where it does not apply or there is no verdict."""
        check = self.parent.checks().get(self.check_id)
        if check is None:
            pytest.skip("does not apply to this bundle")
        from trm_edge.cli.regress_output import sentence

        if check.verdict in ("not_compared", "inconclusive"):
            pytest.skip(sentence(check))
        if check.verdict == "regressed":
            raise _Failed(sentence(check))


class _Failed(Exception):  # noqa: N818 - never leaves this module
    pass


@pytest.hookimpl(tryfirst=True)  # before -k and -m select
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the tests of every bundle to those that pytest collected.

    Args:
        session: pytest's.
        config: holds the options.
        items: the collected tests; those of the bundles are appended.

    Raises:
        pytest.UsageError: as many baselines as bundles are needed, or a bundle cannot be opened.
    """
    bundles = config.getoption("--trm-bundle")
    baselines = config.getoption("--trm-baseline")
    if baselines and len(baselines) != len(bundles):
        raise pytest.UsageError(
            f"got {len(baselines)} --trm-baseline for {len(bundles)} --trm-bundle: pass one "
            "baseline for each bundle, or none."
        )
    if not bundles:
        return
    from trm_edge.errors import TrmEdgeError

    for number, bundle in enumerate(bundles):
        baseline = Path(baselines[number]) if baselines else None
        collector = BundleCollector.from_parent(
            session, name=str(bundle), bundle=Path(bundle), baseline=baseline
        )
        try:
            items.extend(collector.collect())
        except TrmEdgeError as error:
            raise pytest.UsageError(str(error)) from error
