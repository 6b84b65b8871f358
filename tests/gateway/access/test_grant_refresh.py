"""A gateway whose worker hears nothing of the axis goes by old rights: it says so."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.handlers import HANDLERS
from shared.events import ClientChanged, GrantChanged
from shared.messaging.inbox import EventHandler
from tests.conftest import Broker, Databases
from tests.support.background import working
from tests.support.event_keys import publishing, send_events
from tests.support.gateway_harness import (
    LIST,
    VERIFY,
    Services,
    database_away,
    is_reported,
    make_agency,
    make_client,
    make_grant,
    open_gate,
    open_services,
)
from tests.support.waiting import eventually


@pytest.mark.broker
async def test_rights_of_which_the_worker_hears_nothing_are_reported_as_stale(
    postgres: Databases, services: Services, own_kafka: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.messaging.consumer_lag.LAG_S", 0.1)
    monkeypatch.setattr("gateway.access.grant_refresh.MAX_UNCONSUMED_S", 3.0)
    stands_still, going_on = asyncio.Event(), asyncio.Event()

    async def stand_still(_: AsyncSession, __: Sequence[Any]) -> None:
        stands_still.set()
        await going_on.wait()

    slow = {kind: [*each, EventHandler("gateway", stand_still)] for kind, each in HANDLERS.items()}
    async with open_gate(postgres.migrated_url("gateway"), services) as gate:
        await gate.tell(make_client("h26"), make_grant("h26"))
        async with working(gate.settings, slow, own_kafka):
            await eventually(lambda: is_reported(gate, "rights_fresh", "ok"))
            servers, idempotent = own_kafka.servers, own_kafka.idempotent
            async with publishing(servers, idempotent=idempotent) as identity:
                await send_events(identity, make_agency("H26.7"))
            await stands_still.wait()
            await eventually(lambda: is_reported(gate, "rights_fresh", "RightsUnconsumedError"))
            # It goes on with what it knows, and says so.
            assert (await gate.ask(LIST, client="h26")).is_success
            told = (await gate.http.get("/readyz")).json()
            assert told["ready"], told
            going_on.set()
            await eventually(lambda: is_reported(gate, "rights_fresh", "ok"))
        await eventually(lambda: is_reported(gate, "rights_fresh", "RightsUnconsumedError"))


async def test_partition_of_which_nothing_was_ever_heard_makes_rights_stale(
    postgres: Databases, services: Services
) -> None:
    async with open_gate(postgres.migrated_url("gateway"), services) as gate:
        await eventually(lambda: is_reported(gate, "rights_fresh", "ok"))
        async with gate.sessions.begin() as session:
            await session.execute(text("DELETE FROM heard WHERE partition = 0"))
        await eventually(lambda: is_reported(gate, "rights_fresh", "RightsUnconsumedError"))


async def test_partition_that_the_topic_no_longer_has_is_not_waited_for(
    postgres: Databases, services: Services
) -> None:
    gone = "INSERT INTO heard VALUES (:topic, 99, now() - interval '1 day')"
    async with open_gate(postgres.migrated_url("gateway"), services, ready=False) as gate:
        async with gate.sessions.begin() as session:
            await session.execute(text(gone), {"topic": GrantChanged.topic})
        await eventually(lambda: is_reported(gate, "rights_fresh", "RightsUnconsumedError"))
        await gate.tell(make_client("h26"))
        await eventually(lambda: is_reported(gate, "rights_fresh", "ok"))


async def test_call_is_not_refused_for_a_grant_that_may_still_be_on_its_way(
    postgres: Databases, services: Services
) -> None:
    """A new installation publishes its clients and grants; the gateway reads them one by one."""
    async with open_gate(postgres.migrated_url("gateway"), services, ready=False) as gate:
        async with gate.sessions.begin() as session:
            await HANDLERS[ClientChanged][0].apply(session, [make_client("h26")])
        await eventually(lambda: gate.rights_of("h26") is not None)
        early = await gate.ask(LIST, client="h26")
        assert (early.status_code, early.headers["Retry-After"]) == (503, "2")
        assert await is_reported(gate, "rights", "RightsUnknownError")
        await gate.tell(make_grant("h26"))
        assert (await gate.ask(LIST, client="h26")).is_success


@pytest.mark.broker
async def test_changed_grant_is_in_force_without_waiting_for_a_round(
    postgres: Databases, services: Services, kafka: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.access.grant_refresh.HEARTBEAT_S", 3_600)
    async with (
        open_gate(postgres.migrated_url("gateway"), services) as gate,
        working(gate.settings, HANDLERS, kafka),
        publishing(kafka.servers, idempotent=kafka.idempotent) as identity,
    ):
        grant = make_grant("h26")

        async def status(wanted: HTTPStatus) -> bool:
            return (await gate.ask(VERIFY, client="h26")).status_code == wanted

        await send_events(identity, make_client("h26"), grant)
        await eventually(lambda: status(HTTPStatus.OK))

        await send_events(identity, grant.model_copy(update={"version": 2, "revoked": True}))
        await eventually(lambda: status(HTTPStatus.FORBIDDEN))

        await send_events(identity, grant.model_copy(update={"version": 3}))
        await eventually(lambda: status(HTTPStatus.OK))


async def test_gateway_goes_on_with_what_it_knows_while_its_database_is_away(
    postgres: Databases, services: Services
) -> None:
    async with open_gate(postgres.migrated_url("gateway"), services) as gate:
        grant = make_grant("h26")
        await gate.tell(make_client("h26"), grant)
        async with database_away(postgres, gate):
            await eventually(lambda: is_reported(gate, "rights_fresh", "RightsStaleError"))
            assert (await gate.ask(LIST, client="h26")).is_success
            ready = await gate.http.get("/readyz")
            assert ready.status_code == HTTPStatus.SERVICE_UNAVAILABLE
            assert ready.json()["checks"]["rights"] == "ok"
        await eventually(lambda: is_reported(gate, "rights_fresh", "ok"))
        await gate.tell(grant.model_copy(update={"version": 2, "revoked": True}))
        assert (await gate.ask(LIST, client="h26")).status_code == HTTPStatus.FORBIDDEN


async def test_change_that_nobody_was_told_is_read_after_a_lost_connection(
    postgres: Databases, services: Services
) -> None:
    async with open_gate(postgres.migrated_url("gateway"), services) as gate:
        await gate.tell(make_client("h26"), make_grant("h26"))
        async with gate.sessions.begin() as session:
            for statement in (
                "ALTER TABLE grant_in_force DISABLE TRIGGER ALL",
                "UPDATE grant_in_force SET revoked = true",
                "ALTER TABLE grant_in_force ENABLE TRIGGER ALL",
                (
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    " AND backend_type = 'client backend'"
                ),
            ):
                await session.execute(text(statement))

        async def refused() -> bool:
            return (await gate.ask(LIST, client="h26")).status_code == HTTPStatus.FORBIDDEN

        await eventually(refused)


async def test_known_caller_is_still_known_while_identity_is_away(postgres: Databases) -> None:
    behind = AsyncExitStack()
    services = await behind.enter_async_context(open_services())
    async with open_gate(postgres.migrated_url("gateway"), services) as gate:
        await gate.tell(make_client(), make_grant())
        assert (await gate.ask(LIST)).is_success
        await behind.aclose()
        answer = await gate.ask(LIST)
        # Let in as before; only the service behind is missing.
        assert answer.json()["type"] == "/problems/upstream-away"
