"""What a caller, the log and the metrics learn of a request, and of one that went wrong."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Literal

import httpx
import pytest
from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from prometheus_client import REGISTRY
from pydantic import BaseModel
from sqlalchemy import text

from shared.database.errors import retry_during_outage
from shared.database.session import SessionFactory
from shared.events import DossierProgressed
from shared.messaging.outbox import publish_events
from shared.observability.logging import configure_logging
from shared.runtime.app import create_service
from shared.settings import ServiceSettings
from shared.web.dependencies import Session
from shared.web.middleware import AnswerCutOffError
from tests.conftest import Databases
from tests.shared.event_flow import progressed, scalar
from tests.support.factories import CALL_KEY, TestAuthority
from tests.support.serving import calling
from tests.support.waiting import eventually

NUMBER = "079204001234"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"

router = APIRouter()


class Person(BaseModel):
    number: str


@router.post("/people")
async def register(person: Person, session: Session) -> dict[str, str]:
    await session.execute(text("INSERT INTO person VALUES (:number)"), {"number": person.number})
    return {"number": person.number}


@router.post("/promises/{number}", status_code=201)
async def promise(number: str, session: Session) -> dict[str, str]:
    """Breaks a constraint that the database checks at the commit."""
    await session.execute(text("INSERT INTO promise VALUES (:number)"), {"number": number})
    publish_events(session, progressed(number))
    return {"number": number}


@router.get("/bug")
async def bug() -> None:
    raise RuntimeError(f"about {NUMBER}")


@router.get("/stream")
async def stream() -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        yield "a line"
        raise RuntimeError(f"about {NUMBER}")

    return StreamingResponse(lines())


@pytest.fixture
async def client(
    settings: ServiceSettings, sessions: SessionFactory, authority: TestAuthority
) -> AsyncIterator[httpx.AsyncClient]:
    async with sessions.begin() as session:
        await session.execute(text("CREATE TABLE person (number TEXT PRIMARY KEY)"))
        await session.execute(
            text(
                "CREATE TABLE promise (number TEXT REFERENCES person DEFERRABLE INITIALLY DEFERRED)"
            )
        )
    app = create_service(
        settings, title="Test", prefix="/test/v1", routers=[router], call_key=CALL_KEY
    )
    async with calling(app, authority, raise_app_exceptions=True) as client:
        yield client


def said(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    return captured.out + captured.err


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.usefixtures("logged")
async def test_log_has_the_place_of_an_error_and_no_row_values(
    client: httpx.AsyncClient,
    settings: ServiceSettings,
    capsys: pytest.CaptureFixture[str],
    log_format: Literal["json", "console"],
) -> None:
    configure_logging(settings.model_copy(update={"log_format": log_format}))
    assert (await client.post("/people", json={"number": NUMBER})).status_code == 200
    repeated = await client.post("/people", json={"number": NUMBER})
    assert repeated.status_code == 500
    assert NUMBER not in repeated.text
    logged = said(capsys)
    assert "unexpected_error" in logged
    assert "IntegrityError" in logged
    assert "in register" in logged
    assert repeated.headers["X-Trace-Id"] in logged
    assert NUMBER not in logged
    assert "\x1b" not in logged  # colours are for a terminal


@pytest.mark.usefixtures("logged")
async def test_log_line_is_json_with_service_and_trace(
    client: httpx.AsyncClient, settings: ServiceSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(settings)
    answer = await client.get("/bug")
    lines = [json.loads(line) for line in said(capsys).splitlines()]
    events = {"unexpected_error": "error", "request_failed": "warning"}
    assert {line["event"]: line["level"] for line in lines} == events
    for line in lines:
        assert line["service"] == settings.name
        assert line["trace_id"] == answer.headers["X-Trace-Id"]


@pytest.mark.usefixtures("logged")
async def test_refused_request_is_logged_with_its_client_and_problem(
    client: httpx.AsyncClient, settings: ServiceSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(settings)
    caller = {"X-Client": "onestop-h26", "X-Agency": "H26"}
    answer = await client.post("/people", json={"number": [NUMBER]}, headers=caller)
    assert answer.status_code == 422
    logged = said(capsys)
    line = json.loads(logged)
    assert (line["event"], line["method"], line["route"]) == ("request_refused", "POST", "/people")
    assert (line["status"], line["problem"]) == (422, "/problems/invalid-request")
    assert line["client"] == "onestop-h26"
    assert line["trace_id"] == answer.json()["trace_id"]
    assert NUMBER not in logged


@pytest.mark.usefixtures("logged")
async def test_waiting_for_the_database_is_logged_without_what_was_waited_with(
    settings: ServiceSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(settings)
    failures = iter([ConnectionError(NUMBER)])

    @retry_during_outage
    async def keep(_: str) -> None:
        for failure in failures:
            raise failure

    await keep(NUMBER)
    logged = said(capsys)
    assert json.loads(logged)["error"] == "ConnectionError"
    assert NUMBER not in logged


async def test_error_after_the_first_byte_cuts_the_answer_off(client: httpx.AsyncClient) -> None:
    with pytest.raises(AnswerCutOffError, match=r"^RuntimeError$") as cut_off:
        await client.get("/stream")
    assert cut_off.value.__suppress_context__


async def test_failed_commit_is_not_answered_as_a_success(
    client: httpx.AsyncClient, sessions: SessionFactory
) -> None:
    answer = await client.post(f"/promises/{NUMBER}")
    assert answer.status_code == 500
    assert await scalar(sessions, "SELECT count(*) FROM outbox") == 0


async def test_database_outage_is_a_503_and_passes(
    client: httpx.AsyncClient, postgres: Databases
) -> None:
    assert (await client.post("/people", json={"number": "079204000001"})).status_code == 200
    postgres.server.stop()
    try:
        answer = await client.post("/people", json={"number": NUMBER})
        ready = await client.get("/readyz")
        alive = await client.get("/healthz")
    finally:
        postgres.server.start()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert answer.json()["type"] == "/problems/unavailable"
    assert ready.status_code == 503
    assert ready.json()["checks"]["database"] != "ok"
    assert alive.status_code == 200

    async def answers() -> bool:
        return (await client.post("/people", json={"number": NUMBER})).status_code == 200

    await eventually(answers)
    assert (await client.get("/readyz")).json() == {"ready": True, "checks": {"database": "ok"}}


async def test_callers_trace_is_taken_over(client: httpx.AsyncClient) -> None:
    headers = {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"}
    assert (await client.get("/healthz", headers=headers)).headers["X-Trace-Id"] == TRACE_ID


MALFORMED = [
    "",
    "nonsense",
    f"00-{TRACE_ID}",
    f"00-{TRACE_ID.upper()}-00f067aa0ba902b7-01",
    f"00-{'z' * 32}-00f067aa0ba902b7-01",
    f"00-{'0' * 32}-00f067aa0ba902b7-01",
    f"00-{TRACE_ID}-{'0' * 16}-01",
    f"00-{TRACE_ID}-{'a' * 5_000}-01",
    f"ff-{TRACE_ID}-00f067aa0ba902b7-01",
]


@pytest.mark.parametrize("traceparent", MALFORMED, ids=range(len(MALFORMED)))
async def test_malformed_trace_is_replaced(client: httpx.AsyncClient, traceparent: str) -> None:
    first, second = [
        (await client.get("/healthz", headers={"traceparent": traceparent})).headers["X-Trace-Id"]
        for _ in range(2)
    ]
    assert len(bytes.fromhex(first)) == 16
    assert first not in {second, TRACE_ID}


async def test_event_carries_the_trace_of_its_request(
    client: httpx.AsyncClient, sessions: SessionFactory
) -> None:
    async with sessions.begin() as session:
        await session.execute(text("INSERT INTO person VALUES (:n)"), {"n": NUMBER})
    headers = {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"}
    assert (await client.post(f"/promises/{NUMBER}", headers=headers)).status_code == 201
    carried = await scalar(sessions, "SELECT headers->>'ce_traceparent' FROM outbox")
    assert carried.split("-")[1] == TRACE_ID
    sent = await scalar(sessions, "SELECT headers->>'ce_type' FROM outbox")
    assert sent == DossierProgressed.event_type


def requests(route: str, status: str, method: str = "POST") -> float:
    labels = {"method": method, "route": route, "status": status}
    return REGISTRY.get_sample_value("http_request_seconds_count", labels) or 0


async def test_metrics_name_the_route_and_never_the_path(client: httpx.AsyncClient) -> None:
    before = requests("/promises/{number}", "500"), requests("(no route)", "404", "GET")
    await client.post(f"/promises/{NUMBER}")
    await client.get(f"/nowhere/{NUMBER}")
    after = requests("/promises/{number}", "500"), requests("(no route)", "404", "GET")
    assert after == (before[0] + 1, before[1] + 1)
    assert NUMBER not in (await client.get("/metrics")).text


async def test_method_that_does_not_exist_makes_no_metric_of_its_own(
    client: httpx.AsyncClient,
) -> None:
    before = requests("(no route)", "404", "other")
    await client.request("BREW", "/nowhere")
    assert requests("(no route)", "404", "other") == before + 1
    assert requests("(no route)", "404", "BREW") == 0


async def test_value_that_the_database_cannot_keep_is_the_callers_to_mend(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/people", json={"number": "079\0"})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")
    assert "079" not in answer.text


def test_logs_of_libraries_begin_at_warning(settings: ServiceSettings, logged: None) -> None:
    configure_logging(settings)
    assert logging.getLogger("shared.messaging.outbox").isEnabledFor(logging.INFO)
    assert not logging.getLogger("aiokafka").isEnabledFor(logging.INFO)
