"""What a caller is told of a refused request: where and what, never the value."""

import gc
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm.exc import StaleDataError

from shared.runtime.app import freeze_gc
from shared.web import problems
from shared.web.bodies.strict_parsing import StrictInteger
from shared.web.middleware import RequestMiddleware

NUMBER = "079204001234"

router = APIRouter()


class ByCard(BaseModel):
    kind: Literal["card"]


class ByName(BaseModel):
    kind: Literal["name"]


class Home(BaseModel):
    model_config = ConfigDict(extra="forbid")

    commune: Annotated[str, Field(pattern="^[0-9]{5}$", examples=["00004"])] | None = None
    street: str | None = None


class Person(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: Annotated[str, Field(pattern=r"^\d{12}$", description="twelve digits")]
    homes: list[Home] = []
    code: Annotated[str, Field(pattern="^[A-Z]$")] = "A"
    birth_year: int = 1990
    sex: Annotated[Literal[1, 2], StrictInteger] = 1
    proof: Annotated[ByCard | ByName, Field(discriminator="kind")] | None = None


@router.post("/people")
async def register(person: Person) -> str:
    return person.number


@router.get("/people")
async def people() -> None: ...


@router.get("/people/{key}")
async def person(key: UUID, at: Annotated[str, Field(pattern="^[a-z]$")] = "a") -> str:
    return f"{key} {at}"


@router.get("/race")
async def race() -> None:
    raise StaleDataError(NUMBER)


@router.get("/bug")
async def bug() -> None:
    raise RuntimeError(f"about {NUMBER}")


@router.get("/teapot")
async def teapot() -> None:
    raise HTTPException(418, "short and stout", {"X-Spout": "left"})


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(router)
    problems.install_handlers(app)
    app.add_middleware(RequestMiddleware)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client


async def test_unexpected_error_is_a_problem_that_tells_nothing(client: httpx.AsyncClient) -> None:
    answer = await client.get("/bug")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "Report the trace_id of this answer to the operator of the mesh.",
        "trace_id": answer.headers["X-Trace-Id"],
    }


WRONG_BODIES = {
    "wrong value": {"number": NUMBER + "9"},
    "wrong type": {"number": {"is": NUMBER}},
    "wrong number": {"number": NUMBER, "birth_year": NUMBER + "x"},
    "unknown field": {"number": NUMBER, NUMBER: 1},
    "unknown kind": {"number": NUMBER, "proof": {"kind": NUMBER}},
    "no object": [NUMBER],
}


@pytest.mark.parametrize("body", WRONG_BODIES.values(), ids=WRONG_BODIES)
async def test_validation_problem_never_repeats_the_input(
    client: httpx.AsyncClient, body: object
) -> None:
    answer = await client.post("/people", json=body)
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/invalid-request"
    assert answer.json()["errors"]
    assert NUMBER not in answer.text


MENDED: dict[str, tuple[dict[str, Any], str, str]] = {
    "words for the form": (
        {"number": NUMBER + "9"},
        "body.number",
        r"Not of the expected form: twelve digits",
    ),
    "an example, of a member of a list": (
        {"number": NUMBER, "homes": [{}, {"commune": NUMBER}]},
        "body.homes.1.commune",
        "Not of the expected form: for instance 00004; pattern ^[0-9]{5}$",
    ),
    "a choice of numbers": (
        {"number": NUMBER, "sex": NUMBER},
        "body.sex",
        "Send one of 1, 2, of type integer",
    ),
    "an array in place of an object": (
        {"number": NUMBER, "homes": [[NUMBER]]},
        "body.homes.0",
        "Send a JSON object, {…}",
    ),
    "an object in place of an array": (
        {"number": NUMBER, "homes": {}},
        "body.homes",
        "Send a JSON array, […]",
    ),
    "the pattern alone": (
        {"number": NUMBER, "code": NUMBER},
        "body.code",
        "String should match pattern '^[A-Z]$'",
    ),
    "the fields that are known": (
        {"number": NUMBER, NUMBER: 1},
        "body.(unknown field)",
        "Leave it out; the fields here are: number, homes, code, birth_year, sex, proof",
    ),
    "those of that place": (
        {"number": NUMBER, "homes": [{NUMBER: 1}]},
        "body.homes.0.(unknown field)",
        "Leave it out; the fields here are: commune, street",
    ),
}


@pytest.mark.parametrize(("body", "at", "what"), MENDED.values(), ids=MENDED)
async def test_validation_problem_says_how_to_mend_it(
    client: httpx.AsyncClient, body: dict[str, Any], at: str, what: str
) -> None:
    answer = await client.post("/people", json=body)
    assert answer.json()["errors"] == [{"at": at, "is": what}]
    assert NUMBER not in answer.text


async def test_nothing_of_a_path_or_query_is_repeated(client: httpx.AsyncClient) -> None:
    answer = await client.get("/people/ÿ", params={"at": NUMBER})
    assert answer.json()["errors"] == [
        {"at": "path.key", "is": "Input should be a valid UUID"},
        {"at": "query.at", "is": "String should match pattern '^[a-z]$'"},
    ]


def test_the_first_request_that_is_refused_finds_the_description_made() -> None:
    app = FastAPI()
    app.include_router(router)
    freeze_gc(app)
    try:
        assert app.openapi_schema
        assert gc.get_freeze_count()
    finally:
        gc.unfreeze()


async def test_broken_json_is_not_repeated(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await client.post("/people", content=f'{{"number": {NUMBER}x', headers=headers)
    assert answer.status_code == 422
    assert NUMBER not in answer.text


async def test_stale_write_is_a_failed_precondition(client: httpx.AsyncClient) -> None:
    answer = await client.get("/race")
    assert (answer.status_code, answer.json()["type"]) == (412, "/problems/changed-meanwhile")
    assert NUMBER not in answer.text


async def test_http_exception_keeps_its_headers(client: httpx.AsyncClient) -> None:
    answer = await client.get("/teapot")
    assert (answer.status_code, answer.headers["X-Spout"]) == (418, "left")
    assert answer.json()["detail"] == "short and stout"


async def test_refused_method_is_told_all_that_the_path_knows(client: httpx.AsyncClient) -> None:
    answer = await client.put("/people")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, POST")
    assert answer.json()["detail"] == "Use one of: GET, HEAD, POST."


async def test_body_that_is_no_json_is_told_what_to_send(client: httpx.AsyncClient) -> None:
    answer = await client.post("/people", data={"number": NUMBER})
    assert (answer.status_code, answer.json()["type"]) == (415, "/problems/media-type-not-taken")
    assert answer.headers["Accept"] == "application/json"
    assert "Content-Type: application/json" in answer.json()["detail"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/x", 404), ("PUT", "/bug", 405)])
async def test_what_no_route_answers_is_a_problem_too(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
