"""A bundle in Triton Inference Server: its Python backend loads this and drives the halting loop.

``trm-edge export --triton DIR`` writes the model repository whose ``model.py`` imports it. Requests
that Triton batches share the slots of one loop.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from trm_edge.bundle import Bundle
from trm_edge.errors import PuzzleError, TrmEdgeError
from trm_edge.loop.solution import Solution
from trm_edge.puzzle import Puzzle, check_puzzle

BUNDLE = "bundle"  # folder beside model.py


class TritonPythonModel:
    """The interface that Triton expects of a Python model.

    Inputs of a request of b puzzles: ``tokens`` (b, L) int32, and ``identifier`` (b, 1) int32,
    which may be left out (zeros). Outputs: ``answer`` (b, L) int32, ``steps`` (b, 1) int32,
    ``confidence`` (b, 1) float32.
    """

    def initialize(self, args: dict[str, str]) -> None:
        """Open the bundle and load what runs the target on this machine.

        Args:
            args: Triton's own: ``model_config`` is JSON with the parameters ``target``, ``slots``
                and ``threads``; ``model_repository`` and ``model_version`` say where the bundle is.

        Raises:
            TrmEdgeError: the bundle or its engine cannot be loaded.
        """
        parameters = json.loads(args["model_config"])["parameters"]
        target = parameters["target"]["string_value"]
        slots = int(parameters["slots"]["string_value"])
        threads = int(parameters["threads"]["string_value"])
        folder = Path(args["model_repository"]) / args["model_version"] / BUNDLE
        bundle = Bundle.open(folder)
        self._config = bundle.config
        self._solver = bundle.solver(target, batch=slots, threads=threads)
        self._solver.__enter__()

    def finalize(self) -> None:
        """Free everything."""
        self._solver.__exit__(None, None, None)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Solve the puzzles of all requests; a request that is not valid fails alone.

        Args:
            requests: Triton's ``InferenceRequest`` objects.

        Returns:
            A response per request, in their order; an error is in the response.
        """
        backend = _backend_utils()
        puzzles: list[Puzzle] = []
        errors: dict[int, str] = {}  # by index of the request
        shares: dict[int, slice] = {}  # of the puzzles, by index of the request
        for index, request in enumerate(requests):
            try:
                request_puzzles = self._puzzles(backend, request)
            except TrmEdgeError as error:
                errors[index] = str(error)
                continue
            shares[index] = slice(len(puzzles), len(puzzles) + len(request_puzzles))
            puzzles += request_puzzles
        try:
            solutions = list(self._solver.solve(puzzles, ordered=True))
        except TrmEdgeError as error:
            return [_failure(backend, str(error)) for _ in requests]
        responses = []
        for index in range(len(requests)):
            if index in errors:
                responses.append(_failure(backend, errors[index]))
            else:
                responses.append(_response(backend, solutions[shares[index]]))
        return responses

    def _puzzles(self, backend: Any, request: Any) -> list[Puzzle]:
        tokens = backend.get_input_tensor_by_name(request, "tokens").as_numpy()
        identifiers = np.zeros(len(tokens), np.int32)
        tensor = backend.get_input_tensor_by_name(request, "identifier")
        if tensor is not None:
            identifiers = tensor.as_numpy().ravel()
        if len(identifiers) != len(tokens):
            raise PuzzleError(
                f"identifier must have one value per puzzle, {len(tokens)}, but got "
                f"{len(identifiers)}."
            )
        puzzles = []
        for index, (puzzle_tokens, identifier) in enumerate(zip(tokens, identifiers, strict=True)):
            puzzle = Puzzle(puzzle_tokens.astype(np.int32), int(identifier))
            check_puzzle(puzzle, index, self._config)
            puzzles.append(puzzle)
        return puzzles


def _response(backend: Any, solutions: list[Solution]) -> Any:
    answers = [solution.answer for solution in solutions]
    steps = [[solution.steps] for solution in solutions]
    confidences = [[solution.confidence] for solution in solutions]
    tensors = [
        backend.Tensor("answer", np.array(answers, np.int32)),
        backend.Tensor("steps", np.array(steps, np.int32)),
        backend.Tensor("confidence", np.array(confidences, np.float32)),
    ]
    return backend.InferenceResponse(output_tensors=tensors)


def _failure(backend: Any, text: str) -> Any:
    return backend.InferenceResponse(output_tensors=[], error=backend.TritonError(text))


def _backend_utils() -> Any:
    import triton_python_backend_utils  # importable only within Triton

    return triton_python_backend_utils
