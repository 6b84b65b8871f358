"""The retained log is read from its oldest event or an offset to its end, without forgeries."""

import asyncio
from collections.abc import Sequence

import jwt
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from shared.crypto.published_keys import KeysUnavailableError
from shared.events import DossierProgressed
from shared.messaging.event_proofs import EventVerifier
from shared.runtime.retained_log import BrokerLog, Offsets
from shared.settings import ServiceSettings
from tests.conftest import Broker
from tests.shared.event_flow import DOSSIERS, SERVICE, progressed, record
from tests.support.event_keys import KEYS, VERIFIER, PublishedKeys, send_events
from tests.support.unreadable_records import send_unreadable
from tests.support.waiting import PATIENCE_SECONDS


async def read_versions(log: BrokerLog, key: str, offsets: Offsets) -> tuple[list[int], Offsets]:
    versions: list[int] = []
    async for batch in log.read_batches(offsets):
        offsets = batch.offsets
        versions += [
            event.version
            for event in batch.events
            if isinstance(event, DossierProgressed) and event.code == key
        ]
    return versions, offsets


@pytest.mark.broker
async def test_log_is_read_to_its_end_and_from_an_offset_on(
    settings: ServiceSettings, producer: AIOKafkaProducer, key: str
) -> None:
    async def send(*versions: int) -> None:
        for version in versions:
            sent = record(progressed(key, version))
            headers = list(sent.headers)
            await producer.send_and_wait(DOSSIERS, sent.value, key=sent.key, headers=headers)

    await send(1, 2)
    forged = record(progressed(key, 3))
    await producer.send_and_wait(DOSSIERS, b"{}", key=forged.key, headers=list(forged.headers))
    await send(4)
    log = BrokerLog(settings, [DOSSIERS], VERIFIER)
    versions, offsets = await read_versions(log, key, {})
    assert versions == [1, 2, 4]
    assert await read_versions(log, key, offsets) == ([], offsets)
    await send(5)
    versions, _ = await read_versions(log, key, offsets)
    assert versions == [5]


class ShortenedLog(BrokerLog):
    """A log whose retention deletes messages before `kept_from` after the read has begun."""

    kept_from: Offsets
    kafka_servers: str

    async def _seek(
        self, consumer: AIOKafkaConsumer, offsets: Offsets
    ) -> tuple[dict[str, int], Offsets]:
        following, ends = await super()._seek(consumer, offsets)
        deleted = {
            self._partitions[name]: RecordsToDelete(before_offset=offset)
            for name, offset in self.kept_from.items()
        }
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka_servers)
        await admin.start()
        try:
            await admin.delete_records(deleted)
        finally:
            await admin.close()
        for name, partition in self._partitions.items():
            # Drops the messages that were fetched in advance.
            consumer.seek(partition, following[name])
        return following, ends


@pytest.mark.broker
@pytest.mark.parametrize("kept", [(3,), ()])
async def test_messages_that_follow_those_deleted_during_the_read_are_read(
    settings: ServiceSettings,
    kafka: Broker,
    producer: AIOKafkaProducer,
    key: str,
    kept: Sequence[int],
) -> None:
    if not kafka.keeps_data:
        pytest.skip("the embedded broker takes no DeleteRecords")
    await send_events(producer, progressed(key, 1))
    log = ShortenedLog(settings, [DOSSIERS], VERIFIER)
    async with asyncio.timeout(PATIENCE_SECONDS):
        _, offsets = await read_versions(BrokerLog(settings, [DOSSIERS], VERIFIER), key, {})
        await send_events(producer, progressed(key, 2), progressed(key, 3))
        _, ends = await read_versions(BrokerLog(settings, [DOSSIERS], VERIFIER), key, offsets)
        log.kafka_servers = settings.kafka_servers
        log.kept_from = {name: end - len(kept) for name, end in ends.items() if end > offsets[name]}
        assert await read_versions(log, key, offsets) == (list(kept), ends)


class LateKeys(PublishedKeys):
    """Keys that cannot be fetched at first."""

    async def get_current(self, kid: str, since: float) -> jwt.PyJWK | None:
        found = await super().get_current(kid, since)
        if self.asked <= 2:
            raise KeysUnavailableError
        return found


@pytest.mark.broker
async def test_read_waits_while_the_keys_cannot_be_fetched(
    settings: ServiceSettings, producer: AIOKafkaProducer, key: str
) -> None:
    await send_events(producer, progressed(key, 1), progressed(key, 2))
    verifier = EventVerifier({SERVICE: LateKeys(KEYS[SERVICE])})
    versions, _ = await read_versions(BrokerLog(settings, [DOSSIERS], verifier), key, {})
    assert versions == [1, 2]


@pytest.mark.broker
async def test_record_that_cannot_be_decoded_is_skipped(
    settings: ServiceSettings, producer: AIOKafkaProducer, key: str
) -> None:
    await send_events(producer, progressed(key, 1))
    for partition in await producer.partitions_for(DOSSIERS):
        await send_unreadable(producer, DOSSIERS, partition)
    await send_events(producer, progressed(key, 2))
    async with asyncio.timeout(PATIENCE_SECONDS):
        versions, _ = await read_versions(BrokerLog(settings, [DOSSIERS], VERIFIER), key, {})
    assert versions == [1, 2]


class LostLog(BrokerLog):
    """A log whose broker is believed to have had more messages than it has."""

    async def _seek(
        self, consumer: AIOKafkaConsumer, offsets: Offsets
    ) -> tuple[dict[str, int], Offsets]:
        following, ends = await super()._seek(consumer, offsets)
        return following, {name: end + 100 for name, end in ends.items()}


@pytest.mark.broker
async def test_read_ends_where_the_broker_lost_messages_meanwhile(
    settings: ServiceSettings, producer: AIOKafkaProducer, key: str
) -> None:
    await send_events(producer, progressed(key, 1), progressed(key, 2))
    async with asyncio.timeout(PATIENCE_SECONDS):
        versions, _ = await read_versions(LostLog(settings, [DOSSIERS], VERIFIER), key, {})
    assert versions == [1, 2]
