"""Whatever comes over the axis is handled, passed over or set aside; the consumer goes on."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from uuid import UUID

import orjson
import pytest
from aiokafka import ConsumerRecord
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from dossier_service.handlers import HANDLERS as DOSSIER
from gateway.handlers import HANDLERS as GATEWAY
from shared.database.engine import open_database
from shared.database.session import SessionFactory
from shared.events import EVENTS, Event
from shared.messaging.consumer import handle_records
from shared.messaging.event_proofs import EventUnprovenError
from shared.messaging.inbox import Handlers
from shared.settings import ServiceSettings
from sync_service.handlers import HANDLERS as SYNC
from sync_service.settings import Settings as SyncSettings
from tests.conftest import MORE, Databases
from tests.dossier_service.conftest import make_settings as dossier_settings
from tests.fuzz.texts import JSON, NEARLY
from tests.shared.event_flow import agency, progressed, record
from tests.support.event_keys import VERIFIER, change_record, key_text
from tests.support.factories import CALL_KEY, DIGEST_KEY
from tests.support.gateway_harness import make_grant, make_settings

# Whoever takes a message for an outage waits without end.
PATIENCE_S = 90.0
CONSUMERS: Mapping[str, Handlers] = {"dossier": DOSSIER, "gateway": GATEWAY, "sync": SYNC}
BYTES = st.binary(max_size=60)


def _encoded(event_id: UUID) -> bytes:
    return str(event_id).encode()


OWNED = ("ce_source", b"/dossier_service")
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["ce_id", "ce_type", "ce_source", "ce_traceparent", "", "\0", "ce_ïd"]),
        BYTES | st.sampled_from(sorted(EVENTS)).map(str.encode) | st.uuids().map(_encoded),
    ),
    max_size=6,
)
NASTY = st.sampled_from(
    [
        "\0", "a\0b", "x" * 5000, 2**31, 2**63, -(2**63), 10**30, True, "", "H26\n",
        "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "0001-01-01", "9999-12-31",
    ]
)  # fmt: skip
SOUND: list[Event] = [progressed("H26.1-261102-0001"), agency("H26.1"), make_grant()]


@st.composite
def _nearly_sound(draw: st.DrawFn) -> ConsumerRecord:
    """An event of which some members say something else."""
    event = draw(st.sampled_from(SOUND))
    members = orjson.loads(event.model_dump_json())
    for name in draw(st.sets(st.sampled_from(sorted(members)), min_size=1, max_size=3)):
        members[name] = draw(NASTY | NEARLY | JSON)
    return record(event, value=json.dumps(members).encode())


# Signed by the owner of the topic, so that reading and handling see them, where they can be.
SIGNED = _nearly_sound() | st.builds(
    lambda headers, key, value: record(SOUND[0], headers=[OWNED, *headers], key=key, value=value),
    HEADERS,
    st.none() | BYTES,
    st.none() | BYTES | JSON.map(orjson.dumps),
)
RECORDS = SIGNED | st.builds(
    lambda signed, headers, value: change_record(signed, headers=headers, value=value),
    SIGNED,
    HEADERS,
    BYTES | JSON.map(orjson.dumps),
)


def _settings(name: str, postgres: Databases) -> ServiceSettings:
    if name == "dossier":
        return dossier_settings(postgres)
    if name == "gateway":
        made: ServiceSettings = make_settings(postgres.migrated_url("gateway"))
    else:
        told = {
            "database_url": postgres.migrated_url("sync_service"),
            "kafka_servers": "[::1]:1",
            "digest_key": DIGEST_KEY,
            "event_key": key_text("sync_service"),
        }
        near = {"gateway_url": "http://[::1]:1", "call_key": CALL_KEY}
        made = SyncSettings.model_validate(told | near)
    return made


@pytest.fixture(scope="module", params=CONSUMERS)
def service(
    request: pytest.FixtureRequest, postgres: Databases
) -> tuple[ServiceSettings, Handlers]:
    return _settings(request.param, postgres), CONSUMERS[request.param]


@pytest.fixture(scope="module")
async def consumer(
    service: tuple[ServiceSettings, Handlers],
) -> AsyncIterator[tuple[SessionFactory, Handlers]]:
    settings, handlers = service
    async with open_database(settings) as sessions:
        yield sessions, handlers


@settings(max_examples=40 * MORE)
@given(records=st.lists(RECORDS, min_size=1, max_size=4))
async def test_no_message_stops_a_consumer(
    consumer: tuple[SessionFactory, Handlers], records: list[ConsumerRecord]
) -> None:
    """The sound one after them takes effect, and what was set aside is kept with its bytes."""
    sessions, handlers = consumer
    sound = record(agency("H26.9"))
    async with asyncio.timeout(PATIENCE_S):
        await handle_records(sessions, [*records, sound], handlers, VERIFIER)
    told = {"id": dict(sound.headers)["ce_id"].decode()}
    async with sessions() as session:
        handled = text("SELECT count(*) FROM handled_event WHERE id = CAST(:id AS uuid)")
        assert await session.scalar(handled, told) == 1
        aside = set(await session.scalars(text("SELECT value FROM dead_letter")))
    unread = [each for each in records if not (await _is_proven(each) and _is_readable(each))]
    assert {each.value or b"" for each in unread} <= aside


async def _is_proven(message: ConsumerRecord) -> bool:
    try:
        await VERIFIER.check(message)
    except EventUnprovenError:
        return False
    return True


def _is_readable(message: ConsumerRecord) -> bool:
    """By the words of CloudEvents alone: a type that is known with another body is not."""
    headers = dict(message.headers)
    try:
        event_class = EVENTS.get(headers["ce_type"].decode())
        UUID(headers["ce_id"].decode())
        return event_class is None or bool(event_class.model_validate_json(message.value))
    except (KeyError, ValueError, TypeError):
        return EVENTS.get(headers.get("ce_type", b"").decode(errors="replace")) is None and (
            "ce_type" in headers
        )
