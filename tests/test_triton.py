"""The model that Triton's Python backend loads, with a fake of the backend's own module."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.toys import toy_tokens
from trm_edge.bundle import Bundle
from trm_edge.errors import OutputExistsError
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle
from trm_edge.targets.triton_repository import write_triton_repository

# The compiled model_config.proto of Triton's client 2.73 (BSD-3-Clause, NVIDIA).
SCHEMA = Path(__file__).parent / "data/triton_model_config.binpb"


class Tensor:
    def __init__(self, name: str, values: Any) -> None:
        self.name = name
        self.values = values

    def as_numpy(self) -> Any:
        return self.values


@pytest.fixture
def backend_utils(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("triton_python_backend_utils")
    module.Tensor = Tensor
    module.TritonError = str
    module.InferenceResponse = lambda output_tensors, error=None: SimpleNamespace(
        error=error, **{tensor.name: tensor.values for tensor in output_tensors}
    )
    module.get_input_tensor_by_name = lambda request, name: request.get(name)
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", module)


def request(**tensors: Any) -> dict[str, Tensor]:
    return {name: Tensor(name, values) for name, values in tensors.items()}


def parsed(path: Path) -> Any:
    """Parse with Triton's own schema, which refuses unknown keys."""
    from google.protobuf import (
        descriptor_pb2,
        descriptor_pool,
        json_format,
        message_factory,
        text_format,
    )

    pool = descriptor_pool.DescriptorPool()
    pool.Add(descriptor_pb2.FileDescriptorProto.FromString(SCHEMA.read_bytes()))
    schema = pool.FindMessageTypeByName("inference.ModelConfig")
    config = text_format.Parse(path.read_text(), message_factory.GetMessageClass(schema)())
    return json_format.MessageToDict(config, preserving_proto_field_name=True)


@pytest.mark.parametrize(
    "line", ["max_batch: 4", 'name: "two" name: "names"', "input [ {dims: x} ]"]
)
def test_the_schema_refuses_unknown_keys(tmp_path: Path, line: str) -> None:
    from google.protobuf.text_format import ParseError

    (tmp_path / "config.pbtxt").write_text(line)
    with pytest.raises(ParseError):
        parsed(tmp_path / "config.pbtxt")


def test_the_configuration_follows_tritons_schema(toy_bundle: Path, tmp_path: Path) -> None:
    bundle = Bundle.open(toy_bundle)
    model = write_triton_repository(bundle, tmp_path / "repository")
    config = parsed(model / "config.pbtxt")
    assert config["name"] == model.name == "trm_tokens"
    assert config["backend"] == "python"
    assert [entry["name"] for entry in config["input"]] == ["tokens", "identifier"]
    assert config["input"][0]["dims"] == [str(bundle.config.seq_len)]
    assert [entry["data_type"] for entry in config["output"]] == [
        "TYPE_INT32",
        "TYPE_INT32",
        "TYPE_FP32",
    ]
    assert config["instance_group"][0]["kind"] == "KIND_CPU"
    assert sorted(path.name for path in model.parent.iterdir()) == [model.name]


@pytest.mark.usefixtures("backend_utils")
def test_requests_share_a_loop_and_fail_alone(toy_bundle: Path, tmp_path: Path) -> None:
    model_folder = write_triton_repository(Bundle.open(toy_bundle), tmp_path)
    spec = importlib.util.spec_from_file_location("served", model_folder / "1/model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.TritonPythonModel()
    model.initialize(
        {
            "model_config": json.dumps(parsed(model_folder / "config.pbtxt")),
            "model_repository": str(model_folder),
            "model_version": "1",
        }
    )
    bundle = Bundle.open(toy_bundle)
    tokens = toy_tokens(bundle.config, 5)
    responses = model.execute(
        [
            request(tokens=tokens[:2], identifier=np.array([[0], [1]], np.int32)),
            request(tokens=tokens[:1] + 1000),
            request(tokens=tokens[2:, :-1]),
            request(tokens=tokens[2:]),
            request(tokens=tokens[:2], identifier=np.array([[0]], np.int32)),
        ]
    )
    model.finalize()
    assert "token ids must lie in" in responses[1].error
    assert "tokens must have shape" in responses[2].error
    assert "one value per puzzle, 2, but got shape (1, 1)" in responses[4].error
    puzzles = [Puzzle(row, int(index == 1)) for index, row in enumerate(tokens)]
    with Solver(bundle.backend(), bundle.puzzle_embeddings(), batch=5) as solver:
        expected = list(solver.solve(puzzles, ordered=True))
    for response, solutions in ((responses[0], expected[:2]), (responses[3], expected[2:])):
        assert response.error is None
        answers = [solution.answer for solution in solutions]
        steps = [[solution.steps] for solution in solutions]
        np.testing.assert_array_equal(response.answer, answers)
        np.testing.assert_array_equal(response.steps, steps)
        assert response.confidence.dtype == np.float32


def test_a_model_is_replaced_only_on_request(toy_bundle: Path, tmp_path: Path) -> None:
    bundle = Bundle.open(toy_bundle)
    model = write_triton_repository(bundle, tmp_path)
    with pytest.raises(OutputExistsError, match=r"exists already\. Pass --force"):
        write_triton_repository(bundle, tmp_path)
    write_triton_repository(bundle, tmp_path, force=True)
    (tmp_path / "other").mkdir()
    model.rename(tmp_path / "moved")
    model.mkdir()
    with pytest.raises(OutputExistsError, match="was not written by trm-edge"):
        write_triton_repository(bundle, tmp_path, force=True)
