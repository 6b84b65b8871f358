import asyncio
from contextlib import AsyncExitStack
from itertools import islice
from uuid import uuid4

import asyncpg
import pytest

from dossier_service.dossiers import filing_limiter as filing_turns
from dossier_service.dossiers.filing_limiter import MAX_AT_ONCE, MAX_WAITING, FilingLimiter
from dossier_service.dossiers.repository import filing
from tests.conftest import Databases
from tests.dossier_service.desk import BIRTH_FEE, DOSSIERS, Desk, payment, wish
from tests.support.waiting import count_blocked, eventually


async def test_of_two_clerks_exactly_one_wins(desk: Desk) -> None:
    dossier = await desk.file()
    answers = await asyncio.gather(
        *(desk.try_change(dossier, "transitions", {"to": to}) for to in (4, 5, 7, 8) * 2)
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[412] * 7]
    assert [step["version"] for step in await desk.history(dossier["code"])] == [1, 2]
    assert len(await desk.events(dossier["code"])) == 2


async def test_of_two_changes_that_both_read_before_either_wrote_one_wins(
    own_desk: Desk,
) -> None:
    dossier = await own_desk.file()
    connection = await asyncpg.connect(make_admin(own_desk))
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE dossier_step")
            changes = [
                asyncio.create_task(own_desk.try_change(dossier, "transitions", {"to": to}))
                for to in (4, 5)
            ]
            await eventually(lambda: are_waiting(connection, len(changes)))
        answers = await asyncio.gather(*changes)
    finally:
        await connection.close()
    assert sorted(answer.status_code for answer in answers) == [200, 412]


async def test_of_two_payments_of_a_fee_exactly_one_counts(desk: Desk) -> None:
    dossier = await desk.file(fees=[BIRTH_FEE])
    answers = await asyncio.gather(
        *(desk.try_change(dossier, "payments", payment()) for _ in range(4))
    )
    assert sum(answer.status_code == 201 for answer in answers) == 1
    assert len(await desk.events(dossier["code"])) == 2


async def test_serials_have_no_gap_under_concurrent_filings(
    own_desk: Desk,
) -> None:
    bodies = [wish(received_by="H26.601") for _ in range(20)]
    # Refused ones among them take no serial.
    bodies[5:5] = [wish(received_by="H26.601", procedure="1.999999")] * 5
    answers = await asyncio.gather(*(own_desk.try_file(body) for body in bodies))
    filed = [answer.json()["code"] for answer in answers if answer.is_success]
    assert sorted(filed) == [f"H26.601-261116-{serial:04d}" for serial in range(1, 21)]


async def test_same_request_at_once_is_one_dossier(desk: Desk) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    answers = await asyncio.gather(
        *(desk.try_file(wish(received_by="H26.602"), headers=headers) for _ in range(6))
    )
    assert {answer.json()["code"] for answer in answers} == {"H26.602-261116-0001"}
    assert {answer.status_code for answer in answers} == {201}


async def test_filing_that_cannot_have_its_serial_soon_is_sent_away_and_takes_none(
    own_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filing that waits keeps a connection from the filings of all other agencies."""
    await own_desk.file(received_by="H26.603")
    connection = await asyncpg.connect(make_admin(own_desk))
    try:
        async with connection.transaction():
            await connection.execute("UPDATE dossier_serial SET serial = serial")
            with monkeypatch.context() as soon:
                soon.setattr(filing, "MAX_SERIAL_WAIT_S", 1)
                kept_waiting = await own_desk.try_file(wish(received_by="H26.603"))
            assert (await own_desk.file(received_by="H26.604"))["code"].startswith("H26.604")
    finally:
        await connection.close()
    assert (kept_waiting.status_code, kept_waiting.headers["Retry-After"]) == (503, "2")
    assert kept_waiting.json()["type"] == "/problems/unavailable"
    assert (await own_desk.file(received_by="H26.603"))["code"] == "H26.603-261116-0002"


async def test_filings_that_wait_at_one_agency_leave_the_database_to_the_others(
    own_desk: Desk,
) -> None:
    await own_desk.file(received_by="H26.603")
    crowd = 3 * own_desk.settings.database_pool
    connection = await asyncpg.connect(make_admin(own_desk))
    try:
        async with connection.transaction():
            await connection.execute("UPDATE dossier_serial SET serial = serial")
            waiting = [
                asyncio.create_task(own_desk.try_file(wish(received_by="H26.603")))
                for _ in range(crowd)
            ]
            await eventually(lambda: are_waiting(connection, MAX_AT_ONCE))
            assert (await own_desk.file(received_by="H26.604"))["code"].startswith("H26.604")
            assert not any(filing.done() for filing in waiting)
    finally:
        await connection.close()
    filed = [answer.json()["code"] for answer in await asyncio.gather(*waiting)]
    assert sorted(filed) == [f"H26.603-261116-{n:04d}" for n in range(2, crowd + 2)]


async def test_filing_that_waits_too_long_for_its_turn_is_sent_away(
    own_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    limiter: FilingLimiter = own_desk.app.state.filing_limiter
    async with AsyncExitStack() as taken:
        for _ in range(MAX_AT_ONCE):
            await taken.enter_async_context(limiter.hold_slot("H26.603"))
        with monkeypatch.context() as soon:
            soon.setattr(filing_turns, "POOL_WAIT_S", 0.1)
            kept_waiting = await own_desk.try_file(wish(received_by="H26.603"))
        assert (await own_desk.file(received_by="H26.604"))["code"].startswith("H26.604")
    assert (kept_waiting.status_code, kept_waiting.headers["Retry-After"]) == (503, "2")
    assert (await own_desk.file(received_by="H26.603"))["code"].endswith("-0001")


@pytest.mark.parametrize("form", ["H26.04", "000.00.04.H26"])
async def test_agency_has_one_turn_in_both_forms_of_its_code(
    own_desk: Desk, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    limiter: FilingLimiter = own_desk.app.state.filing_limiter
    monkeypatch.setattr(filing_turns, "POOL_WAIT_S", 0.1)
    async with AsyncExitStack() as taken:
        for _ in range(MAX_AT_ONCE):
            await taken.enter_async_context(limiter.hold_slot("H26.04"))
        assert (await own_desk.try_file(wish(received_by=form))).status_code == 503


async def test_crowd_at_one_agency_is_sent_away_at_once_beyond_those_that_may_wait(
    own_desk: Desk,
) -> None:
    """Who waits holds one of the gateway's calls to the service, and the others need them."""
    limiter: FilingLimiter = own_desk.app.state.filing_limiter
    async with AsyncExitStack() as taken:
        for _ in range(MAX_AT_ONCE):
            await taken.enter_async_context(limiter.hold_slot("H26.603"))
        crowd = [
            asyncio.create_task(own_desk.try_file(wish(received_by="H26.603")))
            for _ in range(MAX_WAITING + 5)
        ]
        sent_away = [await first for first in islice(asyncio.as_completed(crowd), 5)]
        assert (await own_desk.file(received_by="H26.604"))["code"].startswith("H26.604")
        assert sum(filing.done() for filing in crowd) == len(sent_away)
    assert {answer.status_code for answer in sent_away} == {503}
    assert {answer.headers["Retry-After"] for answer in sent_away} == {"2"}
    answers = await asyncio.gather(*crowd)
    filed = sorted(answer.json()["code"] for answer in answers if answer.is_success)
    assert filed == [f"H26.603-261116-{n:04d}" for n in range(1, MAX_WAITING + 1)]


async def test_filing_that_fails_at_the_end_leaves_nothing(own_desk: Desk) -> None:
    admin = make_admin(own_desk)
    connection = await asyncpg.connect(admin)
    try:
        # What was announced of the catalogue lies there already.
        full = "ALTER TABLE outbox ADD CONSTRAINT full_disk CHECK (false) NOT VALID"
        await connection.execute(full)
        assert (await own_desk.try_file(wish())).status_code == 500
        await connection.execute("ALTER TABLE outbox DROP CONSTRAINT full_disk")
    finally:
        await connection.close()
    for table in ("dossier", "dossier_applicant", "dossier_party", "dossier_serial"):
        assert await own_desk.rows(f"SELECT count(*) FROM {table}") == [(0,)]
    told = "SELECT count(*) FROM outbox WHERE topic = 'dossier.events.v1'"
    assert await own_desk.rows(told) == [(0,)]
    assert (await own_desk.file())["code"] == "H26.101-261116-0001"


async def are_waiting(connection: asyncpg.Connection, number: int) -> bool:
    return await count_blocked(connection) == number


def make_admin(desk: Desk) -> str:
    plain = desk.settings.database.set(drivername="postgresql")
    return plain.render_as_string(hide_password=False)


@pytest.mark.slow
async def test_without_its_database_the_service_asks_to_try_again(
    own_desk: Desk, postgres: Databases
) -> None:
    dossier = await own_desk.file()
    await asyncio.to_thread(postgres.server.stop)
    try:
        answers = [
            await own_desk.try_file(wish()),
            await own_desk.try_change(dossier, "transitions", {"to": 4}),
            await own_desk.read(dossier["code"]),
            await own_desk.call(f"GET {DOSSIERS}"),
        ]
    finally:
        await asyncio.to_thread(postgres.server.start)
    for answer in answers:
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert answer.json()["type"] == "/problems/unavailable"
    assert (await own_desk.move(dossier, 4))["version"] == 2
