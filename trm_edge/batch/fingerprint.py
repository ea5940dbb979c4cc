"""Everything that changes the answers of a run, kept with them: another run is refused."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from trm_edge import __version__
from trm_edge.batch.solve_options import SolveOptions
from trm_edge.bundle import Bundle
from trm_edge.cli.search_options import DEFAULT_EXPLORER, SearchOptions
from trm_edge.records import Format
from trm_edge.run_settings import differences
from trm_edge.tasks.base import Task

RUN_FORMAT = Format("trm-edge.solve-run", 1)
ANSWERS_VERSION = 1  # of the columns of the answers


@dataclass(frozen=True)
class Fingerprint(SearchOptions):
    """Settings of a run.

    The search options are those that hold: what the command leaves to the task is filled in.

    Args:
        version: of trm-edge.
        answers: version of the columns.
        bundle: sha256 of the bundle's manifest, which has the hashes of its files.
        target: of the bundle.
        precision: of the target.
        backend: name of the engine that solves, such as ``onnxruntime``.
        halting: the halting rule, as text.
        input: sha256 of the input's files.
    """

    version: str
    answers: int
    bundle: str
    target: str
    precision: str
    backend: str
    halting: str
    input: str

    @classmethod
    def of(
        cls, bundle: Bundle, options: SolveOptions, backend: str, input_sha256: str
    ) -> Fingerprint:
        """Make the fingerprint of a run.

        Args:
            bundle: opened.
            options: of the run.
            backend: name of the engine.
            input_sha256: of the input.

        Raises:
            BundleError: the bundle has no such target.
            ConfigError: the options do not fit the task.
        """
        target, record = bundle.target(options.target)
        search = _resolved(options.search, bundle.task())
        search_values = {}
        for option in fields(SearchOptions):
            search_values[option.name] = getattr(search, option.name)
        return cls(
            version=__version__,
            answers=ANSWERS_VERSION,
            bundle=options.manifest_sha256,
            target=target,
            precision=record.precision,
            backend=backend,
            halting=str(options.halting),
            input=input_sha256,
            **search_values,
        )

    def differences(self, other: Fingerprint) -> list[str]:
        """Name every setting that differs, with both values.

        Args:
            other: of the run that is to go on.
        """
        return differences(self, other, _TITLES)


_TITLES = {
    "version": "the version of trm-edge",
    "answers": "the version of the columns",
    "bundle": "the bundle (sha256 of its manifest)",
    "target": "the target",
    "precision": "the precision",
    "backend": "the engine",
    "halting": "the halting rule",
    "input": "the input (sha256)",
}


def _resolved(search: SearchOptions, task: Task) -> SearchOptions:
    """The options with their defaults for the task; those of tries are left out of a single one."""
    if search.exploration(task) is None:
        return replace(search, explore=(), select=None)
    return replace(
        search,
        explore=search.explore or (DEFAULT_EXPLORER,),
        select=search.selector(task).name,
    )
