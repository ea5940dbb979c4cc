"""What a replica is made from."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from trm_edge import __version__
from trm_edge.bundle import MANIFEST, Bundle
from trm_edge.errors import BundleError, ConfigError
from trm_edge.files import hash_file
from trm_edge.serve.limits import Limits
from trm_edge.serve.service import Service


@dataclass(frozen=True)
class ReplicaOptions:
    """Everything that a replica needs; it can be pickled.

    Args:
        bundle: folder of the bundle, under the same path on every machine.
        manifest_sha256: of its manifest where the server was started.
        version: of trm-edge there.
        target: of the bundle; None: ``cpu``, or the only one.
        slots: puzzles that the replica works on at once.
        threads: of the CPU; 0: every core.
        max_steps: steps that a request may ask for; None: the model's own.
        limits: of the replica.
        engine: what every replica must solve with; None: whatever this machine has.
    """

    bundle: Path
    manifest_sha256: str
    target: str | None
    slots: int
    threads: int
    max_steps: int | None
    limits: Limits
    version: str = __version__
    engine: str | None = None

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        target: str | None,
        *,
        slots: int,
        threads: int,
        max_steps: int | None,
        limits: Limits,
    ) -> ReplicaOptions:
        """Make the options of a server that begins with an opened bundle.

        Args:
            bundle: whose manifest the replicas compare with theirs.
            target: of the bundle; None: ``cpu``, or the only one.
            slots: puzzles that each replica works on at once.
            threads: of the CPU; 0: every core.
            max_steps: steps that a request may ask for; None: the model's own.
            limits: of each replica.

        Raises:
            BundleError: the bundle was replaced after it was opened.
        """
        sha256 = hash_file(bundle.path / MANIFEST)
        if bundle.was_replaced():
            raise BundleError(f"{bundle.path} was replaced while it was opened. Start again.")
        return cls(bundle.path.resolve(), sha256, target, slots, threads, max_steps, limits)

    def service(self, bundle: Bundle) -> Service:
        """Make the service of a process.

        Args:
            bundle: opened.

        Raises:
            TrmEdgeError: as from :class:`~trm_edge.serve.service.Service`.
        """
        return Service(
            bundle,
            self.target,
            slots=self.slots,
            threads=self.threads,
            max_steps=self.max_steps,
            limits=self.limits,
        )

    def open(self) -> Service:
        """Load the engine on this machine.

        Returns:
            A service that was entered.

        Raises:
            ConfigError: this machine has another version of trm-edge, or another engine.
            BundleError: the bundle of this machine is another one, or none.
            TrmEdgeError: the engine cannot be loaded.
        """
        host = socket.gethostname()
        if self.version != __version__:
            raise ConfigError(
                f"{host} has trm-edge {__version__}, but the server was started with "
                f"{self.version}. Install the same version on every machine."
            )
        bundle = Bundle.open(self.bundle)
        if hash_file(bundle.path / MANIFEST) != self.manifest_sha256:
            raise BundleError(
                f"{host} has another bundle at {self.bundle} than the machine where the server was "
                "started. Copy the same one to every machine."
            )
        service = self.service(bundle)
        service.__enter__()
        engine = service.description().engine
        if self.engine is not None and engine != self.engine:
            service.__exit__(None, None, None)
            raise ConfigError(
                f"{host} would solve with {engine}, and the other replicas with {self.engine}, "
                "whose answers may differ. Give every machine the same engine."
            )
        return service
