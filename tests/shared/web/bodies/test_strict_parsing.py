"""A request has one reading: what could be read in two ways, or be passed over, is refused."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from enum import IntEnum
from typing import Annotated, Any, Literal

import httpx
import pytest
from fastapi import FastAPI, Query
from pydantic import Strict

from shared.web import problems
from shared.web.bodies.strict_parsing import IsoDay, IsoInstant, Router, StrictInteger, StrictModel
from shared.web.pagination import PageParametersQuery

JSON = {"Content-Type": "application/json"}
SECRET = "079204001234"


class Way(IntEnum):
    DESK = 1


class Wish(StrictModel):
    name: str = ""
    amount: int = 0
    paid: bool = False
    sex: Annotated[Literal[1, 2], StrictInteger] | None = None
    way: Annotated[Way, Strict(strict=False), StrictInteger] = Way.DESK
    day: IsoDay | None = None
    instant: IsoInstant | None = None


router = Router()


@router.post("/wishes")
async def wish(body: Wish) -> Wish:
    return body


@router.get("/wishes")
async def wishes(
    _: PageParametersQuery,
    q: Annotated[str, Query(alias="words")] = "",
    day: IsoDay | None = None,
    late: bool | None = None,
    way: Way | None = None,
) -> str:
    return f"{q} {day}"


@router.get("/plain")
async def plain() -> None: ...


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(router)
    problems.install_handlers(app)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client


async def test_values_of_their_own_types_are_taken(client: httpx.AsyncClient) -> None:
    sent = {"name": "Ân", "amount": 8000, "paid": True, "sex": 2, "way": 1, "day": "2026-11-02"}
    answer = await client.post("/wishes", json=sent | {"instant": "2026-11-02T09:00:00+07:00"})
    assert answer.status_code == 200
    told = Wish.model_validate(answer.json())
    assert (told.sex, told.way, told.day) == (2, Way.DESK, date(2026, 11, 2))
    assert told.instant == datetime(2026, 11, 2, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("member", "written", "read"),
    [
        ("amount", "8000.0", 8000),
        ("amount", "8e3", 8000),
        ("amount", "1.0e+15", 10**15),
        ("amount", "-2097.000", -2097),
        ("amount", "-0.0", 0),
        ("sex", "2.0", 2),
        ("way", "1.0", 1),
    ],
)
async def test_integer_is_taken_in_each_form_of_json(
    client: httpx.AsyncClient, member: str, written: str, read: int
) -> None:
    body = f'{{"{member}": {written}}}'
    answer = await client.post("/wishes", content=body, headers=JSON)
    assert (answer.status_code, answer.json()[member]) == (200, read)


@pytest.mark.parametrize(
    "written", ["0.9999999999999999999999", "1.00000000000000000001", "1e-400"]
)
async def test_number_that_is_next_to_an_integer_is_none(
    client: httpx.AsyncClient, written: str
) -> None:
    """The nearest double is one."""
    answer = await client.post("/wishes", content=f'{{"amount": {written}}}', headers=JSON)
    assert answer.status_code == 422


async def test_character_written_in_two_halves_is_one(client: httpx.AsyncClient) -> None:
    answer = await client.post("/wishes", content=b'{"name": "\\ud83d\\ude00"}', headers=JSON)
    assert (answer.status_code, answer.json()["name"]) == (200, "😀")


OF_ANOTHER_TYPE = {
    "text for a number": {"amount": "8000"},
    "true for a number": {"amount": True},
    "fraction for a number": {"amount": 8000.5},
    "fraction near a number": {"amount": 8000.000000001},
    "number for a truth": {"paid": 1},
    "word for a truth": {"paid": "yes"},
    "text for a code": {"way": "1"},
    "true for a code": {"way": True},
    "fraction for a code": {"way": 1.5},
    "true for a choice": {"sex": True},
    "fraction for a choice": {"sex": 1.5},
    "number for a name": {"name": 1},
    "number of another form for a name": {"name": 1.0},
    "number of another form for a truth": {"paid": 1.0},
    "number for a day": {"day": 0},
    "seconds for a day": {"day": "1577836800"},
    "instant for a day": {"day": "2026-11-02T00:00:00"},
    "number for an instant": {"instant": 0},
    "seconds for an instant": {"instant": "1577836800"},
    "day for an instant": {"instant": "2026-11-02"},
    "instant of no zone": {"instant": "2026-11-02T09:00:00"},
    "unknown member": {SECRET: 1},
}


@pytest.mark.parametrize("body", OF_ANOTHER_TYPE.values(), ids=OF_ANOTHER_TYPE)
async def test_value_of_another_type_is_refused(
    client: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    answer = await client.post("/wishes", content=json.dumps(body), headers=JSON)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")
    assert answer.json()["errors"]
    assert SECRET not in answer.text


UNREADABLE = {
    "member twice": f'{{"name": "{SECRET}", "name": "{SECRET}"}}'.encode(),
    "not a number": b'{"amount": NaN}',
    "infinity": b'{"amount": -Infinity}',
    "too many digits": b'{"amount": ' + b"9" * 5_000 + b"}",
    "too deep": b"[" * 100_000 + b"]" * 100_000,
    "another encoding": '{"name": "An"}'.encode("utf-16"),
    "half a character": b'{"name": "\\ud83d"}',
    "half a name": b'{"\\uDE00": 1}',
    "no UTF-8": b'{"name": "\xff"}',
    "byte order mark": b'\xef\xbb\xbf{"name": "An"}',
    "cut off": f'{{"name": "{SECRET}'.encode(),
    "NUL": b'{"name": "\x00"}',
    "nothing but space": b" ",
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
async def test_json_that_has_no_one_reading_is_refused(
    client: httpx.AsyncClient, body: bytes
) -> None:
    answer = await client.post("/wishes", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")
    assert answer.json()["errors"][0]["at"] == "body"
    assert SECRET not in answer.text


async def test_query_words_that_are_known_are_taken(client: httpx.AsyncClient) -> None:
    answer = await client.get("/wishes?limit=5&words=khai+sinh&day=2026-11-02&late=true&way=1")
    assert (answer.status_code, answer.json()) == (200, "khai sinh 2026-11-02")


@pytest.mark.parametrize(
    "query", ["word=x", "q=x", f"{SECRET}=1", "words=a&words=a", "day=0", "day=20261102", "limit"]
)
async def test_query_that_would_be_passed_over_is_refused(
    client: httpx.AsyncClient, query: str
) -> None:
    answer = await client.get(f"/wishes?{query}")
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")
    assert SECRET not in answer.text


@pytest.mark.parametrize("value", ["yes", "on", "1", "t", "y", "True", "TRUE", "0", "off", ""])
async def test_truth_is_written_as_json_writes_it(client: httpx.AsyncClient, value: str) -> None:
    for known in ("true", "false"):
        assert (await client.get(f"/wishes?late={known}")).status_code == 200
    answer = await client.get(f"/wishes?late={value}")
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"at": "query.late", "is": "Write true or false"}]


@pytest.mark.parametrize("value", ["%ff", "a%C3", "%ED%A0%80", "%C0%AE"])
async def test_query_that_is_no_utf8_is_refused(client: httpx.AsyncClient, value: str) -> None:
    answer = await client.get(f"/wishes?words={value}")
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/query-unreadable")
    assert (await client.get("/wishes?words=%C3%82n")).json() == "Ân None"


async def test_unknown_query_word_is_told_those_that_are_known(client: httpx.AsyncClient) -> None:
    errors = (await client.get("/wishes?word=x")).json()["errors"]
    known = "Leave it out; the parameters are: after, day, late, limit, way, words"
    assert errors == [{"at": "query.(unknown word)", "is": known}]


async def test_path_without_query_words_takes_none(client: httpx.AsyncClient) -> None:
    assert (await client.get("/plain")).status_code == 200
    assert (await client.get("/plain?x=1")).status_code == 422
