"""A gateway whose worker hears nothing of the axis goes by old rights: it says so."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.handlers import HANDLERS
from shared.events import GrantChanged
from tests.conftest import Broker, Databases
from tests.support.background import working
from tests.support.event_keys import publishing, send_events
from tests.support.gateway_harness import (
    LIST,
    Services,
    is_reported,
    make_agency,
    make_client,
    make_grant,
    open_gate,
)
from tests.support.waiting import eventually


@pytest.mark.broker
async def test_rights_of_which_the_worker_hears_nothing_are_reported_as_stale(
    postgres: Databases, services: Services, own_kafka: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.messaging.consumer_lag.LAG_SECONDS", 0.1)
    monkeypatch.setattr("gateway.access.grant_refresh.UNHEARD_SECONDS", 3.0)
    stands_still, going_on = asyncio.Event(), asyncio.Event()

    async def stand_still(_: AsyncSession, __: Sequence[Any]) -> None:
        stands_still.set()
        await going_on.wait()

    slow = {kind: [*each, stand_still] for kind, each in HANDLERS.items()}
    async with open_gate(postgres.database_url("gateway"), services) as gate:
        await gate.tell(make_client("h26"), make_grant("h26"))
        async with working(gate.settings, slow, own_kafka):
            await eventually(lambda: is_reported(gate, "rights_fresh", "ok"))
            servers, idempotent = own_kafka.servers, own_kafka.idempotent
            async with publishing(servers, idempotent=idempotent) as identity:
                await send_events(identity, make_agency("H26.7"))
            await stands_still.wait()
            await eventually(lambda: is_reported(gate, "rights_fresh", "RightsUnheardError"))
            # It goes on with what it knows, and says so.
            assert (await gate.ask(LIST, client="h26")).is_success
            assert (await gate.http.get("/readyz")).is_success
            going_on.set()
            await eventually(lambda: is_reported(gate, "rights_fresh", "ok"))
        await eventually(lambda: is_reported(gate, "rights_fresh", "RightsUnheardError"))


async def test_partition_of_which_nothing_was_ever_heard_makes_rights_stale(
    postgres: Databases, services: Services
) -> None:
    async with open_gate(postgres.database_url("gateway"), services) as gate:
        await eventually(lambda: is_reported(gate, "rights_fresh", "ok"))
        async with gate.sessions.begin() as session:
            await session.execute(text("DELETE FROM heard WHERE partition = 0"))
        await eventually(lambda: is_reported(gate, "rights_fresh", "RightsUnheardError"))


async def test_partition_that_the_topic_no_longer_has_is_not_waited_for(
    postgres: Databases, services: Services
) -> None:
    gone = "INSERT INTO heard VALUES (:topic, 99, now() - interval '1 day')"
    async with open_gate(postgres.database_url("gateway"), services, ready=False) as gate:
        async with gate.sessions.begin() as session:
            await session.execute(text(gone), {"topic": GrantChanged.topic})
        await eventually(lambda: is_reported(gate, "rights_fresh", "RightsUnheardError"))
        await gate.tell(make_client("h26"))
        await eventually(lambda: is_reported(gate, "rights_fresh", "ok"))
