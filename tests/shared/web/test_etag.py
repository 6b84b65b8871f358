import httpx
import pytest
from fastapi import FastAPI, Response
from starlette.datastructures import Headers

from shared.web import problems
from shared.web.bodies.strict_parsing import Router
from shared.web.etag import (
    ExpectedVersion,
    Precondition,
    PreconditionUnreadable,
    require_version,
    set_etag,
)

SUBJECT = "ab" * 32
app, router = FastAPI(), Router()
problems.install_handlers(app)


@router.put("/thing")
async def change(expected: ExpectedVersion, response: Response) -> None:
    require_version(7, expected)
    set_etag(response, 8)


@router.get("/thing")
async def read(response: Response) -> dict[str, int]:
    set_etag(response, 7)
    response.headers["X-Subject"] = SUBJECT
    return {"version": 7}


app.include_router(router)


async def ask(method: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return await client.request(method, "/thing", headers=told)


async def put(**headers: str) -> httpx.Response:
    return await ask("PUT", **({"If_Match": headers["tag"]} if headers else {}))


@pytest.mark.parametrize("tag", ['"7"', "*", '"6", "7"', '"7","8"', ', "7" ,', '"a,b", "7"'])
async def test_version_that_was_read_may_be_changed(tag: str) -> None:
    answer = await put(tag=tag)
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"8"')


async def test_change_without_a_version_is_refused() -> None:
    answer = await put()
    assert answer.status_code == 428
    assert answer.json()["type"] == "/problems/precondition-required"


@pytest.mark.parametrize(
    "tag", ['"6"', '"8"', '"07"', '"+7"', '"7 "'.replace(" ", "!"), 'W/"7"', '"seven"', '""', '"*"']
)
async def test_change_of_another_version_is_refused_and_says_which_it_is(tag: str) -> None:
    answer = await put(tag=tag)
    assert (answer.status_code, answer.json()["version"]) == (412, 7)


@pytest.mark.parametrize("tag", ["7", "", 'w/"7"', '"7', '"7" "8"', '*, "7"', "**", '"a b"'])
async def test_unreadable_etag_is_a_bad_request(tag: str) -> None:
    for answer in (await put(tag=tag), await ask("GET", If_None_Match=tag)):
        assert answer.status_code == 400
        assert answer.json()["type"] == "/problems/precondition-unreadable"


async def test_change_is_refused_where_no_such_version_may_be_there() -> None:
    answer = await ask("PUT", If_Match="*", If_None_Match='W/"7"')
    assert answer.status_code == 412


@pytest.mark.parametrize("tag", ['"7"', 'W/"7"', "*", '"6", W/"7"', ',,"7"'])
async def test_what_is_known_is_not_sent_again_and_still_names_the_person(tag: str) -> None:
    answer = await ask("GET", If_None_Match=tag)
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", '"7"')
    assert answer.headers["X-Subject"] == SUBJECT
    assert "Content-Length" not in answer.headers


@pytest.mark.parametrize("tag", ['"6"', '"07"', 'W/"77"'])
async def test_what_is_not_known_is_sent(tag: str) -> None:
    answer = await ask("GET", If_None_Match=tag)
    assert (answer.status_code, answer.json()) == (200, {"version": 7})


async def test_condition_of_a_read_is_strong_and_comes_first() -> None:
    assert (await ask("GET", If_Match='"7"')).status_code == 200
    assert (await ask("GET", If_Match="*")).status_code == 200
    assert (await ask("GET", If_Match='"7"', If_None_Match='"7"')).status_code == 304
    for other in ('"07"', 'W/"7"'):
        refused = await ask("GET", If_Match=other, If_None_Match='"7"')
        assert (refused.status_code, refused.headers["X-Subject"]) == (412, SUBJECT)


def test_long_lists_of_tags_take_time_in_proportion() -> None:
    header = Headers({"If-Match": '"7",' + " ,\t" * 20_000 + "x"})
    with pytest.raises(PreconditionUnreadable):
        Precondition.of(header)


async def test_too_many_known_tags_are_as_none() -> None:
    known = '"7", ' * 400
    assert (await ask("GET", If_None_Match=known)).status_code == 200
    assert (await put(tag=known)).status_code == 400
