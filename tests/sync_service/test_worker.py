"""The worker: what the axis brings is projected; what cannot be is set aside."""

from collections.abc import AsyncIterator

import pytest
from alembic import command
from sqlalchemy import select

from shared.events import DossierEvent, Event
from shared.messaging.dead_letters import DeadLetter
from shared.runtime.migrations import build_configuration
from sync_service.handlers import HANDLERS
from sync_service.settings import Settings
from tests.conftest import Broker, Databases
from tests.support.background import working
from tests.support.event_keys import publishing, send_events
from tests.support.factories import TestAuthority
from tests.support.waiting import eventually
from tests.sync_service.conftest import make_settings, serving
from tests.sync_service.national import National, agency, filed, moved, new_code, row


@pytest.fixture(scope="module")
def worker_settings(postgres: Databases, kafka: Broker) -> Settings:
    return make_settings(postgres, kafka_servers=kafka.servers, kafka_idempotent=kafka.idempotent)


@pytest.fixture(scope="module")
async def worked(
    worker_settings: Settings, authority: TestAuthority, kafka: Broker
) -> AsyncIterator[National]:
    async with (
        serving(worker_settings, authority) as national,
        working(worker_settings, HANDLERS, kafka),
    ):
        yield national


async def send(settings: Settings, *events: Event, **over: bytes) -> None:
    """As the relays of other services; `over` replaces the value of all of them."""
    servers, idempotent = settings.kafka_servers, settings.kafka_idempotent
    async with publishing(servers, idempotent=idempotent) as producer:
        await send_events(producer, *events, **over)


async def stands(national: National, event: DossierEvent) -> None:
    async def seen() -> bool:
        response = await national.get(event.code)
        return bool(response.status_code == 200 and response.json()["version"] == event.version)

    await eventually(seen)


@pytest.mark.broker
async def test_event_reaches_the_national_view_and_its_names(worked: National) -> None:
    unheard_of = "H26.999"  # of others the axis may have told already
    code = new_code(unheard_of)
    events = (filed(code, received_by=unheard_of), moved(code, 2, 4, received_by=unheard_of))
    await send(worked.settings, agency(unheard_of, "UBND phường", "commune"), *events)
    await stands(worked, events[1])

    async def named() -> bool:
        return bool((await worked.read(code))["received_by"]["name"] == "UBND phường")

    await eventually(named)


@pytest.mark.broker
async def test_poison_is_set_aside_while_the_rest_goes_on(worked: National) -> None:
    code = new_code("H26.101")
    bad_status = moved(code, 2, 11)
    bad_agency = moved(code, 3, 4, received_by="nowhere")
    good = moved(code, 4, 5)
    await send(worked.settings, filed(code), value=b"garbage")
    await send(worked.settings, filed(code), bad_status, bad_agency, good)
    await stands(worked, good)

    async def reasons() -> list[str]:
        query = select(DeadLetter).where(DeadLetter.key == code)
        async with worked.sessions() as session:
            return sorted(letter.reason.split(" ")[0] for letter in await session.scalars(query))

    async def all_three() -> bool:
        return len(await reasons()) == 3

    await eventually(all_three)
    assert await reasons() == ["CodeError", "ValidationError", "ValueError"]
    assert await worked.timeline(code) == [("filed", 2, None), ("moved", 5, None)]


@pytest.mark.broker
async def test_pushed_dossier_is_announced_on_the_axis(worked: National) -> None:
    pushed = row()
    await worked.push(pushed)

    async def sent() -> bool:
        query = "SELECT count(*) FROM outbox_sent WHERE key = :code"
        return bool(await worked.scalar(query, code=pushed["code"]) == 1)

    await eventually(sent)


def test_models_and_migrations_agree(settings: Settings) -> None:
    command.check(build_configuration(settings))
