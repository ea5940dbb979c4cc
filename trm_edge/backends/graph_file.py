"""A step graph's file, checked before ONNX Runtime sees it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

from trm_edge.config import ModelConfig
from trm_edge.errors import BackendError
from trm_edge.files import open_regular, read_open_file
from trm_edge.graph_guard import MAX_GRAPH_BYTES, check_graph
from trm_edge.step import CarryType


class GraphFile:
    """Reads a step graph, as often as needed, and gives the same bytes each time.

    The file stays open from the first reading until :meth:`close`: a graph may be loaded once more
    when its bundle has been replaced.

    Args:
        path: the file.
        sha256: of its content, verified when it is read; None: it is not.
        trusted: do not check the graph.
    """

    def __init__(self, path: Path, *, sha256: str | None, trusted: bool) -> None:
        self.path = path
        self.sha256 = sha256
        self.trusted = trusted
        self.size = 0  # bytes that were read
        self._file: BinaryIO | None = None

    def read(self, config: ModelConfig, carry: CarryType, *, noise: bool = False) -> bytes:
        """Read the graph once, so that what is checked is what is loaded.

        Args:
            config: the model that it must compute.
            carry: element type of its carries.
            noise: it must have inputs for noise.

        Raises:
            BackendError: it cannot be read, was changed, or is not safe to load.
        """
        try:
            if self._file is None:
                self._file = open_regular(self.path)
            content = read_open_file(self._file, MAX_GRAPH_BYTES)
        except OSError as error:
            reason = error.strerror or error
            raise BackendError(f"the step graph {self.path} cannot be read: {reason}.") from error
        if self.sha256 not in (None, hashlib.sha256(content).hexdigest()):
            raise BackendError(
                f"{self.path} was changed after the bundle was opened (its sha256 differs from "
                "the manifest's). Open the bundle again."
            )
        if not self.trusted:
            check_graph(content, config, carry, str(self.path), noise=noise)
        self.size = len(content)
        return content

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._file is not None:
            self._file.close()
            self._file = None
