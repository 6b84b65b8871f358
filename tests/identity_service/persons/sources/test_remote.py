"""What a remote source of people says, and does not say, is understood."""

import asyncio

import httpx
import pytest

from identity_service.persons.matching import Recorded
from identity_service.persons.sources.remote import RemoteSource
from identity_service.persons.sources.source import Finding, Inquiry
from identity_service.sandbox.personas import read_personas
from shared.codes.persons.folding import fold_accented, fold_bare


def _inquiry() -> Inquiry:
    known = read_personas()["match"]
    return Inquiry(
        personal_number=known.personal_number,
        person="ab" * 32,
        claim=known.claim,
        agency="H26",
        purpose="1.001193",
        officer="officer-1",
        trace_id="trace",
    )


def _remote(reply: httpx.Response | Exception) -> tuple[RemoteSource, list[httpx.Request]]:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        if isinstance(reply, Exception):
            raise reply
        return reply

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return RemoteSource(http, "http://ndxp/look-up", seconds=60.0), sent


RECORD = {
    "HoVaTen": {"Ho": "Nguyễn", "ChuDem": "Văn", "Ten": "An"},
    "GioiTinh": 1,
    "NgayThangNamSinh": {"Nam": "1990", "NgayThangNam": "19900514"},
    "ThuongTru": {"MaTinhThanh": "01", "MaPhuongXa": "00070"},
}


async def remembered(record: dict[str, object], reported: str | None = None) -> Finding:
    """What is understood of a remote source's answer with that one record."""
    remote, _ = _remote(
        httpx.Response(200, json={"CongdanCollection": [record], "KetQua": reported})
    )
    return await remote.look_up(_inquiry())


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"Nam": "1990", "NgayThangNam": "19900231"}, "1990"),
        ({"Nam": None, "NgayThangNam": "19900231"}, None),
        ({"Nam": "?"}, None),
        (None, None),
    ],
)
async def test_an_impossible_birth_date_is_one_that_the_source_does_not_say(
    written: dict[str, str | None] | None, read: str | None
) -> None:
    found = await remembered(RECORD | {"NgayThangNamSinh": written})
    assert found.reported is None
    assert found.recorded is not None
    assert found.recorded.birth_date == read


async def test_what_a_remote_source_leaves_empty_is_not_said() -> None:
    name = {"Ho": "Nguyễn", "ChuDem": None, "Ten": "An"}
    found = await remembered({"HoVaTen": name, "GioiTinh": None, "ThuongTru": None})
    assert found.recorded == Recorded(
        fold_accented("Nguyễn An"), fold_bare("Nguyễn An"), None, 0, None, None
    )


@pytest.mark.parametrize("reported", ["LOCKED", "DECEASED"])
async def test_state_comes_with_the_record_that_a_caller_must_know(reported: str) -> None:
    found = await remembered(RECORD, reported)
    assert found.reported == reported
    assert found.recorded is not None


OTHER = RECORD | {"HoVaTen": {"Ho": "Trần", "ChuDem": None, "Ten": "Bình"}}


@pytest.mark.parametrize("records", [[RECORD, OTHER], [OTHER, RECORD]], ids=["first", "second"])
async def test_caller_that_knows_one_of_two_records_is_compared_with_that(
    records: list[dict[str, object]],
) -> None:
    remote, _ = _remote(httpx.Response(200, json={"CongdanCollection": records}))
    found = await remote.look_up(_inquiry())
    assert found.reported == "AMBIGUOUS"
    assert found.recorded is not None
    assert found.recorded.name_key == fold_accented("Nguyễn Văn An")


async def test_a_remote_source_is_asked_in_the_national_field_names() -> None:
    remote, sent = _remote(httpx.Response(200, json={"CongdanCollection": [RECORD]}))
    found = await remote.look_up(_inquiry())
    assert found.reported is None
    assert found.recorded is not None
    assert found.recorded.birth_date == "1990-05-14"
    assert found.recorded.name_key == fold_accented("Nguyễn Văn An")
    request = httpx.Response(200, content=sent[0].content).json()
    assert request["MaTichHop"] == "037"
    assert request["MaDonVi"] == "H26"
    assert request["HoVaTen"] == "NGUYỄN VĂN AN"
    assert read_personas()["match"].personal_number not in str(sent[0].url)


@pytest.mark.parametrize(
    ("reply", "reported"),
    [
        (httpx.Response(200, json={"CongdanCollection": []}), "NOT_FOUND"),
        (httpx.Response(200, json={"KetQua": "NOT_YET_REPLICATED"}), "NOT_YET_REPLICATED"),
        (httpx.Response(503), "SOURCE_UNAVAILABLE"),
        (httpx.Response(429), "SOURCE_UNAVAILABLE"),
        (httpx.Response(200, text="<html>"), "SOURCE_UNAVAILABLE"),
        (httpx.Response(200, json={"CongdanCollection": [{}]}), "SOURCE_UNAVAILABLE"),
        (httpx.ReadTimeout("too slow"), "SOURCE_UNAVAILABLE"),
        (httpx.ConnectError("refused"), "SOURCE_UNAVAILABLE"),
    ],
)
async def test_what_a_remote_source_cannot_say_is_source_unavailable(
    reply: httpx.Response | Exception, reported: str
) -> None:
    remote, _ = _remote(reply)
    found = await remote.look_up(_inquiry())
    assert (found.reported, found.recorded) == (reported, None)


async def test_source_that_says_a_byte_now_and_then_is_away() -> None:
    async def answer(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        return httpx.Response(200)

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    found = await RemoteSource(http, "http://ndxp/look-up", seconds=0.01).look_up(_inquiry())
    assert found.reported == "SOURCE_UNAVAILABLE"
