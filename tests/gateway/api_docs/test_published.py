"""What anybody may read costs little, however many ask at once."""

import asyncio
import gzip
import time

import pytest

from gateway.api_docs.routes import PAGES
from gateway.operations.model import QuotaClass
from gateway.operations.quotas import DEFAULT_QUOTAS, Quota
from tests.support.gateway_harness import READ, Gate

OPEN_PAGES = ["/openapi.json", "/docs", "/docs/files/swagger-ui-bundle.js"]
AT_ONCE = 50


def asked_of_services(gate: Gate, ending: str) -> int:
    return sum(each.url.path.endswith(ending) for each in gate.services.asked)


@pytest.mark.parametrize(
    ("path", "asked"), [("/openapi.json", "openapi.json"), ("/readyz", "healthz")]
)
async def test_many_who_ask_at_once_cost_the_services_one_question_each(
    gate: Gate, path: str, asked: str
) -> None:
    gate.gateway.local_app.state.description._until = 0.0
    before = asked_of_services(gate, asked)
    answers = await asyncio.gather(*(gate.http.get(path) for _ in range(AT_ONCE)))
    assert {answer.status_code for answer in answers} == {200}
    assert asked_of_services(gate, asked) == before + 3


async def test_caller_that_leaves_does_not_take_the_document_from_the_others(gate: Gate) -> None:
    gate.gateway.local_app.state.description._until = 0.0
    first = asyncio.create_task(gate.http.get("/openapi.json"))
    second = asyncio.create_task(gate.http.get("/openapi.json"))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).status_code == 200


@pytest.mark.parametrize("path", OPEN_PAGES)
async def test_page_that_is_known_is_not_sent_again(gate: Gate, path: str) -> None:
    first = await gate.http.get(path)
    tag = first.headers["ETag"]
    for known in (tag, f'"other", {tag}', tag.removeprefix("W/"), "*"):
        again = await gate.http.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    other = await gate.http.get(path, headers={"If-None-Match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)


@pytest.mark.parametrize("path", OPEN_PAGES)
@pytest.mark.parametrize(
    ("accepted", "packed"),
    [("gzip", True), ("br, GZIP;q=0.5", True), ("gzip;q=0", False), ("gzip; q=0.000", False),
     ("identity", False), ("", False)],
)  # fmt: skip
async def test_page_is_compressed_for_who_takes_it(
    gate: Gate, path: str, accepted: str, packed: bool
) -> None:
    async with gate.http.stream("GET", path, headers={"Accept-Encoding": accepted}) as answer:
        raw = b"".join([piece async for piece in answer.aiter_raw()])
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert (answer.headers.get("Content-Encoding") == "gzip") is packed
    plain = await gate.http.get(path, headers={"Accept-Encoding": "identity"})
    assert (gzip.decompress(raw) if packed else raw) == plain.content
    if packed and len(plain.content) > 1_000:
        assert len(raw) < len(plain.content) / 2


async def test_page_is_the_file(gate: Gate) -> None:
    answer = await gate.http.get("/docs/files/swagger-ui.css")
    assert answer.content == (PAGES / "swagger-ui.css").read_bytes()
    assert answer.headers["Content-Type"].startswith("text/css")


@pytest.mark.parametrize("path", [*OPEN_PAGES, "/readyz", "/healthz", "/nothing"])
async def test_open_paths_have_a_quota_by_address(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    quotas = gate.gateway.local_app.state.forwarder._local_routes._quotas
    few = {**DEFAULT_QUOTAS, QuotaClass.OPEN: Quota(2, 60)}
    monkeypatch.setattr(quotas, "_defaults", few)
    found = [(await gate.http.get(path)).status_code for _ in range(6)]
    assert 429 in found
    assert found[-1] == 429


LONG = 60_000
HOSTILE = {
    "Accept": "text/html" + "," * LONG,
    "If-None-Match": '"",' * (LONG // 3) + '""',
    "Accept-Encoding": "gzip" + "," * LONG,
}


async def measure_cpu_s(gate: Gate, headers: dict[str, str]) -> float:
    spent = []
    for _ in range(10):
        began = time.process_time()
        assert (await gate.http.get("/problems", headers=headers)).status_code == 200
        spent.append(time.process_time() - began)
    return min(spent)


@pytest.mark.parametrize("name", HOSTILE)
async def test_long_list_costs_little_more_than_a_short_one(gate: Gate, name: str) -> None:
    short = await measure_cpu_s(gate, {name: HOSTILE[name][:9]})
    assert await measure_cpu_s(gate, {name: HOSTILE[name]}) < 3 * short


async def test_list_too_long_to_be_read_is_as_absent(gate: Gate) -> None:
    plain = await gate.http.get("/problems")
    answer = await gate.http.get("/problems", headers=HOSTILE)
    assert (answer.status_code, answer.content) == (200, plain.content)
    assert answer.headers["Content-Type"] == "application/json"
    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize("name", ["Connection", "Content-Encoding", "Expect"])
async def test_long_list_about_a_forwarded_call_is_malformed(gate: Gate, name: str) -> None:
    answer = await gate.ask(READ.format(code="H26-2026-000001"), headers={name: "," * 1_001})
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/request-malformed")
