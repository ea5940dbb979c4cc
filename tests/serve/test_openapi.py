"""The OpenAPI document is true: schemathesis sends what it allows, and what it does not.

In this process, through the ASGI application of a real solver. The examples are the same in every
run.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

pytest.importorskip("starlette", reason="needs pip install 'trm-edge[serve]'")
pytest.importorskip("prometheus_client", reason="needs pip install 'trm-edge[serve]'")

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from tests.toys import BASE
from trm_edge.bundle import Bundle
from trm_edge.serve.application import make_application
from trm_edge.serve.limits import Limits
from trm_edge.serve.openapi import openapi_document
from trm_edge.serve.service import Service

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the packages that it imports
    schemathesis = pytest.importorskip("schemathesis", reason="needs pip install 'trm-edge[dev]'")

LIMITS = Limits(puzzles=3, rollouts=4)
QUICK = settings(
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def service(toy_bundle: Path) -> Iterator[Service]:
    with Service(Bundle.open(toy_bundle), threads=1, limits=LIMITS) as entered:
        yield entered


@pytest.fixture(scope="module")
def schema(service: Service) -> Any:
    return schemathesis.openapi.from_asgi("/openapi.json", make_application(service))


def operation_of(schema: Any, name: str) -> Any:
    """The operation ``METHOD PATH`` of a loaded document."""
    for result in schema.get_all_operations():
        operation = result.ok()
        if f"{operation.method.upper()} {operation.path}" == name:
            return operation
    raise LookupError(name)


def path_of(route: BaseRoute) -> str:
    assert isinstance(route, Route)
    return route.path


def checks(*names: str) -> list[Any]:
    return [schemathesis.checks.CHECKS.get_one(name) for name in names]


def test_every_route_is_described(service: Service) -> None:
    routes = {path_of(route) for route in make_application(service).routes}
    assert set(json.loads(openapi_document(LIMITS, BASE, service.halting))["paths"]) == routes


@pytest.mark.parametrize("mode", ["positive", "negative"])
@pytest.mark.filterwarnings("ignore")
def test_solve_replies_as_described(mode: str, schema: Any) -> None:
    """Replies have a status, a type and a content that the document lists; 500 never comes.

    No schema can tell which text is a puzzle, nor which options go together, so what it allows may
    be refused with 422.
    """
    generation = schemathesis.GenerationMode(mode)
    cases = operation_of(schema, "POST /solve").as_strategy(generation_mode=generation)
    statuses: list[int] = []

    @QUICK
    @given(case=cases)
    def check(case: Any) -> None:
        response = case.call()
        statuses.append(response.status_code)
        if mode == "negative":
            assert 400 <= response.status_code < 500
        excluded = ["positive_data_acceptance"]
        if response.status_code == 504:  # no puzzle began within the deadline of the request
            excluded.append("not_a_server_error")
        case.validate_response(response, excluded_checks=checks(*excluded))

    check()
    assert len(statuses) >= 10


@pytest.mark.filterwarnings("ignore")
def test_token_ids_that_the_document_allows_are_solved(service: Service) -> None:
    """With the options that go together in any combination."""
    document = json.loads(openapi_document(LIMITS, BASE, service.halting))
    request = document["components"]["schemas"]["SolveRequest"]
    properties = request["properties"]
    properties["puzzles"]["items"] = {"$ref": "#/components/schemas/PuzzleTokens"}
    together = ("puzzles", "halt", "halt_threshold", "max_steps", "explore_seed", "answer_if")
    request["properties"] = {name: properties[name] for name in together}
    application = make_application(service)

    async def narrowed(request: Request) -> Response:
        return JSONResponse(document)

    routes = [route for route in application.routes if path_of(route) != "/openapi.json"]
    narrow = Starlette(routes=[*routes, Route("/openapi.json", narrowed)])
    schema = schemathesis.openapi.from_asgi("/openapi.json", narrow)
    generation = schemathesis.GenerationMode.POSITIVE
    statuses: list[int] = []

    @QUICK
    @given(case=operation_of(schema, "POST /solve").as_strategy(generation_mode=generation))
    def check(case: Any) -> None:
        response = case.call_and_validate()
        statuses.append(response.status_code)
        assert response.status_code == 200, response.text
        assert len(response.json()["answers"]) == len(case.body["puzzles"])

    check()
    assert len(statuses) >= 10


@pytest.mark.filterwarnings("ignore")
def test_the_other_routes_reply_as_described(schema: Any) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/v1/bundle"):
        response = operation_of(schema, f"GET {path}").Case().call_and_validate()
        assert response.status_code == 200, path


def test_the_document_has_the_limits_of_the_server(service: Service) -> None:
    document = json.loads(openapi_document(LIMITS, BASE, service.halting))
    schemas = document["components"]["schemas"]
    request = schemas["SolveRequest"]["properties"]
    assert request["puzzles"]["maxItems"] == 3
    assert request["rollouts"]["maximum"] == 4
    assert {"type": "integer", "minimum": 1, "maximum": 4} in request["max_steps"]["anyOf"]
    tokens = schemas["PuzzleTokens"]["properties"]["tokens"]
    assert (tokens["minItems"], tokens["maxItems"]) == (9, 9)
    assert (tokens["items"]["minimum"], tokens["items"]["maximum"]) == (0, 6)
    for name in schemas["SolveRequest"]["properties"]:
        assert request[name]["description"], name
