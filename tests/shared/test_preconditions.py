import httpx
import pytest
from fastapi import FastAPI, Response

from shared import problems
from shared.preconditions import ExpectedVersion, require_version, set_etag

app = FastAPI()
problems.install(app)


@app.put("/thing")
async def change(expected: ExpectedVersion, response: Response) -> None:
    require_version(7, expected)
    set_etag(response, 8)


async def put(**headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return await client.put("/thing", headers={"If-Match": headers["tag"]} if headers else {})


async def test_version_that_was_read_may_be_changed() -> None:
    answer = await put(tag='"7"')
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"8"')


async def test_change_without_a_version_is_refused() -> None:
    answer = await put()
    assert answer.status_code == 428
    assert answer.json()["type"] == "/problems/precondition-required"


@pytest.mark.parametrize("tag", ['"6"', '"8"'])
async def test_change_of_another_version_is_refused_and_says_which_it_is(tag: str) -> None:
    answer = await put(tag=tag)
    assert (answer.status_code, answer.json()["version"]) == (412, 7)


@pytest.mark.parametrize(
    "tag", ["7", "*", 'W/"7"', '"7", "8"', '"seven"', '""', '"' + "9" * 19 + '"']
)
async def test_unreadable_etag_is_a_bad_request(tag: str) -> None:
    assert (await put(tag=tag)).status_code == 400
