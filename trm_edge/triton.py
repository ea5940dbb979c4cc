"""A bundle in Triton Inference Server: its Python backend loads this and drives the halting loop.

``trm-edge export --triton DIR`` writes the model repository whose ``model.py`` imports it. Requests
that Triton batches share the slots of one loop.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
                responses.append(self._response(backend, solutions[shares[index]]))
        return responses

    def _puzzles(self, backend: Any, request: Any) -> list[Puzzle]:
        """Read the puzzles of a request.

        Raises:
            PuzzleError: they are not puzzles of the model; says why.
        """
        length = self._config.seq_len
        tokens = _integers(backend, request, "tokens")
        if tokens is None:
            raise PuzzleError("the input tokens is missing.")
        if tokens.ndim != 2 or tokens.shape[1] != length or not len(tokens):
            raise PuzzleError(
                f"tokens must have shape (b, {length}) with b from 1, but got {tokens.shape}."
            )
        identifiers = _integers(backend, request, "identifier")
        if identifiers is None:
            identifiers = np.zeros(len(tokens), np.int64)
        if identifiers.shape not in ((len(tokens), 1), (len(tokens),)):
            raise PuzzleError(
                f"identifier must have one value per puzzle, {len(tokens)}, but got shape "
                f"{identifiers.shape}."
            )
        puzzles = []
        for index, identifier in enumerate(identifiers.ravel()):
            puzzle = Puzzle(tokens[index], int(identifier))
            check_puzzle(puzzle, index, self._config)
            puzzles.append(Puzzle(puzzle.tokens.astype(np.int32), puzzle.identifier))
        return puzzles

    def _response(self, backend: Any, solutions: list[Solution]) -> Any:
        answers = np.zeros((len(solutions), self._config.seq_len), np.int32)
        steps = np.zeros((len(solutions), 1), np.int32)
        confidences = np.zeros((len(solutions), 1), np.float32)
        for index, solution in enumerate(solutions):
            answers[index] = solution.answer
            steps[index] = solution.steps
            confidences[index] = solution.confidence
        tensors = [
            backend.Tensor("answer", answers),
            backend.Tensor("steps", steps),
            backend.Tensor("confidence", confidences),
        ]
        return backend.InferenceResponse(output_tensors=tensors)


def _integers(backend: Any, request: Any, name: str) -> NDArray[np.integer] | None:
    """Read an input of integers as it was sent; None where it was not.

    Raises:
        PuzzleError: the input is not an array of integers.
    """
    tensor = backend.get_input_tensor_by_name(request, name)
    if tensor is None:
        return None
    values = tensor.as_numpy()
    if not isinstance(values, np.ndarray) or not np.issubdtype(values.dtype, np.integer):
        kind = getattr(values, "dtype", type(values).__name__)
        raise PuzzleError(f"{name} must be an array of integers, but got {kind}.")
    return values


def _failure(backend: Any, text: str) -> Any:
    return backend.InferenceResponse(output_tensors=[], error=backend.TritonError(text))


def _backend_utils() -> Any:
    import triton_python_backend_utils  # importable only within Triton

    return triton_python_backend_utils
