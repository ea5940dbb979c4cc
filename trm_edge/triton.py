"""A bundle in Triton Inference Server: its Python backend loads this and drives the halting loop.

``trm-edge export --triton DIR`` writes the model repository whose ``model.py`` imports it. Requests
that Triton hands over together share the slots of one loop.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from trm_edge.bundle import Bundle
from trm_edge.errors import TrmEdgeError
from trm_edge.loop.solution import Solution
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle, check_puzzle

BUNDLE = "bundle"  # folder beside model.py


class TritonPythonModel:
    """What Triton asks of a Python model.

    Inputs of a request of b puzzles: ``tokens`` (b, L) int32, and ``identifier`` (b, 1) int32 where
    the model has several. Outputs: ``answer`` (b, L) int32, ``steps`` (b, 1) int32, ``confidence``
    (b, 1) float32.
    """

    def initialize(self, args: dict[str, str]) -> None:
        """Open the bundle and load what runs the target on this machine."""
        parameters = {
            name: value["string_value"]
            for name, value in json.loads(args["model_config"])["parameters"].items()
        }
        folder = Path(args["model_repository"]) / args["model_version"] / BUNDLE
        bundle = Bundle.open(folder)
        self._config = bundle.config
        self._solver = Solver(
            bundle.backend(parameters["target"], threads=int(parameters["threads"])),
            bundle.puzzle_embeddings(),
            batch=int(parameters["slots"]),
        )
        self._solver.__enter__()

    def finalize(self) -> None:
        """Free everything."""
        self._solver.__exit__(None, None, None)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Solve the puzzles of all requests; one that cannot be solved fails alone."""
        pb = _backend_utils()
        puzzles: list[Puzzle] = []
        shares: list[slice | str] = []
        for request in requests:
            try:
                mine = self._puzzles(pb, request)
            except TrmEdgeError as error:
                shares.append(str(error))
                continue
            shares.append(slice(len(puzzles), len(puzzles) + len(mine)))
            puzzles += mine
        try:
            solutions = list(self._solver.solve(puzzles, ordered=True))
        except TrmEdgeError as error:
            return [_failure(pb, str(error)) for _ in requests]
        return [
            _failure(pb, share) if isinstance(share, str) else _response(pb, solutions[share])
            for share in shares
        ]

    def _puzzles(self, pb: Any, request: Any) -> list[Puzzle]:
        tokens = pb.get_input_tensor_by_name(request, "tokens").as_numpy()
        given = pb.get_input_tensor_by_name(request, "identifier")
        identifiers = np.zeros(len(tokens), np.int32) if given is None else given.as_numpy().ravel()
        puzzles = [
            Puzzle(row.astype(np.int32), int(identifier))
            for row, identifier in zip(tokens, identifiers, strict=True)
        ]
        for index, puzzle in enumerate(puzzles):
            check_puzzle(puzzle, index, self._config)
        return puzzles


def _response(pb: Any, solutions: list[Solution]) -> Any:
    columns = {
        "answer": np.array([one.answer for one in solutions], np.int32),
        "steps": np.array([[one.steps] for one in solutions], np.int32),
        "confidence": np.array([[one.confidence] for one in solutions], np.float32),
    }
    tensors = [pb.Tensor(name, values) for name, values in columns.items()]
    return pb.InferenceResponse(output_tensors=tensors)


def _failure(pb: Any, text: str) -> Any:
    return pb.InferenceResponse(output_tensors=[], error=pb.TritonError(text))


def _backend_utils() -> Any:
    import triton_python_backend_utils  # only there within Triton

    return triton_python_backend_utils
