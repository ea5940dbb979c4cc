"""The OpenAPI document of a server, made from the types that decode and encode its bodies."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from trm_edge import __version__
from trm_edge.config import ModelConfig
from trm_edge.loop.halting import HaltingRule
from trm_edge.schemas import generate_schema
from trm_edge.schemas.descriptions import describe_properties
from trm_edge.serve.limits import Limits
from trm_edge.serve.refusals import REFUSALS
from trm_edge.serve.solve_request import SolveRequest

_COMPONENTS = "#/components/schemas/"
_RECORDS = ("answers", "error", "health", "served")
_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds after which another try may be worth it.",
        "schema": {"type": "integer", "minimum": 1},
    }
}
_METRICS = {
    "description": "Prometheus's text format.",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}
_DOCUMENT = {
    "description": "OpenAPI 3.1.",
    "content": {"application/json": {"schema": {"type": "object"}}},
}
_SUMMARIES = {
    400: "The body is not JSON.",
    408: "The body did not arrive in time.",
    413: "The body, or the number of puzzles, is over a limit.",
    415: "The body is not declared as JSON.",
    422: "The JSON is not a request, or a puzzle or an option does not fit the model.",
    429: "Too many puzzles wait for a slot.",
    500: "The engine failed while it solved the request.",
    503: "The server is stopping, its engine failed before, or the replica has died.",
    504: "The time of the request ended before its answers were there.",
}


def openapi_document(limits: Limits, config: ModelConfig, halting: HaltingRule) -> str:
    """Write the document, with the limits of a server and the shapes of its model.

    Args:
        limits: of the server.
        config: the model.
        halting: the solver's own rule.

    Returns:
        OpenAPI 3.1 as JSON.
    """
    schemas = _request_schemas(limits, config, halting)
    for name in _RECORDS:
        _add_record(schemas, name)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "trm-edge serve",
            "version": __version__,
            "description": "Solves puzzles with one bundle. Authentication belongs in front of it.",
        },
        "paths": {
            "/solve": _solve(),
            "/healthz": _health("healthz", "Tell whether the process should be left running."),
            "/readyz": _health("readyz", "Tell whether requests should be sent here."),
            "/metrics": _read("metrics", "Return metrics for Prometheus.", _METRICS),
            "/v1/bundle": _read(
                "bundle",
                "Describe what is served, and the limits.",
                _json("The bundle and the limits.", "served"),
            ),
            "/openapi.json": _read("openapi", "Return this document.", _DOCUMENT),
        },
        "components": {"schemas": schemas},
    }
    return json.dumps(document)


def _request_schemas(limits: Limits, config: ModelConfig, halting: HaltingRule) -> dict[str, Any]:
    """The schemas of the request's body, narrowed to what this server accepts."""
    _, schemas = msgspec.json.schema_components(
        [SolveRequest], ref_template=f"{_COMPONENTS}{{name}}"
    )
    for schema in schemas.values():
        describe_properties(schema)
    request = schemas["SolveRequest"]["properties"]
    request["puzzles"]["maxItems"] = limits.puzzles
    request["rollouts"]["maximum"] = limits.rollouts
    request["min_steps"]["maximum"] = halting.max_steps
    _narrow(request["max_steps"], "integer", halting.max_steps)
    _narrow(request["deadline_ms"], "number", 1e3 * limits.seconds)
    puzzle = schemas["PuzzleTokens"]["properties"]
    puzzle["tokens"]["minItems"] = config.seq_len
    puzzle["tokens"]["maxItems"] = config.seq_len
    puzzle["tokens"]["items"]["maximum"] = config.vocab_size - 1
    puzzle["identifier"]["maximum"] = config.num_puzzle_identifiers - 1
    return dict(schemas)


def _narrow(schema: dict[str, Any], kind: str, maximum: float) -> None:
    """Set the maximum of the number in a schema that also allows null."""
    for option in schema["anyOf"]:
        if option.get("type") == kind:
            option["maximum"] = maximum


def _add_record(schemas: dict[str, Any], name: str) -> None:
    """Add the schema of a record, and of those in it, as components."""
    text = json.dumps(generate_schema(name)).replace("#/$defs/", _COMPONENTS)
    schema = json.loads(text)
    del schema["$schema"]
    schemas.update(schema.pop("$defs"))
    schemas[name] = schema


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"{_COMPONENTS}{name}"}


def _json(description: str, name: str) -> dict[str, Any]:
    content = {"application/json": {"schema": _reference(name)}}
    return {"description": description, "content": content}


def _error(status: int) -> dict[str, Any]:
    response = _json(_SUMMARIES[status], "error")
    if status in (429, 503):
        response["headers"] = _RETRY_AFTER
    return response


def _solve() -> dict[str, Any]:
    responses = {"200": _json("The answers, in the order of the puzzles.", "answers")}
    for refusal in REFUSALS:
        responses[str(refusal.status)] = _error(refusal.status)
    body = {"application/json": {"schema": _reference("SolveRequest")}}
    return {
        "post": {
            "operationId": "solve",
            "summary": "Solve one or more puzzles.",
            "requestBody": {"required": True, "content": body},
            "responses": responses,
        }
    }


def _read(operation: str, summary: str, response: dict[str, Any]) -> dict[str, Any]:
    return {
        "get": {"operationId": operation, "summary": summary, "responses": {"200": response}},
    }


def _health(operation: str, summary: str) -> dict[str, Any]:
    path = _read(operation, summary, _json("It is so.", "health"))
    path["get"]["responses"]["503"] = _json("It is not so.", "health")
    return path
