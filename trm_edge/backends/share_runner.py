"""Runs of a step graph in shares of the slots, one CPU thread for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.shares import shares
from trm_edge.config import ModelConfig
from trm_edge.step import TensorSpec


class ShareRunner:
    """Runs a session of one thread on many shares of the slots at once.

    Args:
        session: of ONNX Runtime, with one thread.
        outputs: of the step graph, in the contract's order.
        config: the model; it gives the size of a slot's carry.
        threads: shares that run at once.
        elements: elements of a carry that a share should have, about.
    """

    def __init__(
        self,
        session: Any,
        outputs: Sequence[TensorSpec],
        config: ModelConfig,
        *,
        threads: int,
        elements: int,
    ) -> None:
        self._session = session
        self._outputs = outputs
        self._config = config
        self._threads = threads
        self._elements = elements
        self._pool = ThreadPoolExecutor(threads)

    def run(self, feeds: Mapping[str, NDArray[Any]], slots: int) -> list[NDArray[Any]]:
        """Run the graph once on all slots.

        Args:
            feeds: inputs of the graph by name, with B slots each.
            slots: B.

        Returns:
            The outputs in the contract's order, with B slots each.
        """
        outputs = []
        for spec in self._outputs:
            axes = [axis or 0 for axis in spec.shape[1:]]
            outputs.append(np.empty([slots, *axes], spec.dtype))

        def run_share(share: slice) -> None:
            share_feeds = {name: values[share] for name, values in feeds.items()}
            results = self._session.run(None, share_feeds)
            for output, result in zip(outputs, results, strict=True):
                output[share] = result

        parts = shares(slots, self._threads, self._config, self._elements)
        list(self._pool.map(run_share, parts))
        return outputs

    def close(self) -> None:
        """Wait for what runs, and end the threads."""
        self._pool.shutdown()
