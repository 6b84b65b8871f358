"""The retained log is read from its oldest event or a bookmark to its end, without forgeries."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import jwt
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from shared.crypto.published_keys import KeysUnavailableError
from shared.events import DossierProgressed
from shared.messaging.event_proofs import EventVerifier
from shared.messaging.kafka import open_producer
from shared.runtime.retained_log import Bookmarks, BrokerLog, LogReplacedError
from shared.settings import ServiceSettings
from tests.conftest import Broker, started_broker
from tests.shared.event_flow import DOSSIERS, SERVICE, progressed, record
from tests.support.event_keys import KEYS, VERIFIER, PublishedKeys, send_events
from tests.support.unreadable_records import send_unreadable
from tests.support.waiting import PATIENCE_S


async def read_versions(
    log: BrokerLog, key: str, bookmarks: Bookmarks
) -> tuple[list[int], Bookmarks]:
    versions: list[int] = []
    async for batch in log.read_batches(bookmarks):
        bookmarks = batch.bookmarks
        versions += [
            event.version
            for event in batch.events
            if isinstance(event, DossierProgressed) and event.code == key
        ]
    return versions, bookmarks


@pytest.fixture
def brokers(
    settings: ServiceSettings, server_logs: Path
) -> Iterator[tuple[ServiceSettings, ServiceSettings]]:
    """Return the settings of a broker and of the one that replaces it; both are empty."""
    with started_broker(server_logs) as first, started_broker(server_logs) as second:
        of_first, of_second = (
            settings.model_copy(update={"kafka_servers": broker.servers})
            for broker in (first, second)
        )
        yield of_first, of_second


@pytest.mark.broker
async def test_log_is_read_to_its_end_and_from_a_bookmark_on(
    brokers: tuple[ServiceSettings, ServiceSettings], key: str
) -> None:
    # The embedded broker of other tests, whose clients are killed, may give an end before the last
    # message that it hands out, as only a replaced log does.
    settings, _ = brokers
    log = BrokerLog(settings, [DOSSIERS], VERIFIER)
    async with open_producer(settings) as producer:

        async def send(*versions: int) -> None:
            for version in versions:
                sent = record(progressed(key, version))
                headers = list(sent.headers)
                await producer.send_and_wait(DOSSIERS, sent.value, key=sent.key, headers=headers)

        await send(1, 2)
        forged = record(progressed(key, 3))
        await producer.send_and_wait(DOSSIERS, b"{}", key=forged.key, headers=list(forged.headers))
        await send(4)
        versions, bookmarks = await read_versions(log, key, {})
        assert versions == [1, 2, 4]
        assert await read_versions(log, key, bookmarks) == ([], bookmarks)
        await send(5)
        versions, _ = await read_versions(log, key, bookmarks)
        assert versions == [5]


@pytest.mark.broker
@pytest.mark.parametrize("refilled", [(), (1,), (1, 2, 3, 4)])
async def test_bookmarks_of_a_broker_are_refused_by_the_one_that_replaces_it(
    brokers: tuple[ServiceSettings, ServiceSettings], key: str, refilled: Sequence[int]
) -> None:
    """The other one has fewer messages than were read, or the same and more."""
    first, second = brokers
    async with open_producer(first) as producer:
        await send_events(producer, *(progressed(key, version) for version in (1, 2, 3)))
    async with open_producer(second) as producer:
        await send_events(producer, *(progressed(key, version) for version in refilled))
    log = BrokerLog(second, [DOSSIERS], VERIFIER)
    async with asyncio.timeout(PATIENCE_S):
        _, bookmarks = await read_versions(BrokerLog(first, [DOSSIERS], VERIFIER), key, {})
        with pytest.raises(LogReplacedError):
            await read_versions(log, key, bookmarks)
        versions, _ = await read_versions(log, key, {})
    assert versions == list(refilled)


@pytest.mark.broker
async def test_unreadable_message_in_the_place_of_the_bookmark_is_of_another_log(
    brokers: tuple[ServiceSettings, ServiceSettings], key: str
) -> None:
    first, second = brokers
    async with open_producer(first) as producer:
        await send_events(producer, progressed(key, 1))
    async with open_producer(second) as producer:
        for partition in await producer.partitions_for(DOSSIERS):
            await send_unreadable(producer, DOSSIERS, partition)
    async with asyncio.timeout(PATIENCE_S):
        _, bookmarks = await read_versions(BrokerLog(first, [DOSSIERS], VERIFIER), key, {})
        with pytest.raises(LogReplacedError):
            await read_versions(BrokerLog(second, [DOSSIERS], VERIFIER), key, bookmarks)


class ShortenedLog(BrokerLog):
    """A log whose retention deletes messages before `kept_from` after the read has begun."""

    kept_from: Mapping[str, int]
    kafka_servers: str

    async def _seek(
        self, consumer: AIOKafkaConsumer, bookmarks: Bookmarks
    ) -> tuple[dict[str, int], Mapping[str, int]]:
        following, ends = await super()._seek(consumer, bookmarks)
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
    async with asyncio.timeout(PATIENCE_S):
        _, begin = await read_versions(BrokerLog(settings, [DOSSIERS], VERIFIER), key, {})
        await send_events(producer, progressed(key, 2), progressed(key, 3))
        _, end = await read_versions(BrokerLog(settings, [DOSSIERS], VERIFIER), key, begin)
        log.kafka_servers = settings.kafka_servers
        log.kept_from = {
            name: end[name]["offset"] + 1 - len(kept) for name in end if end[name] != begin[name]
        }
        versions, _ = await read_versions(log, key, begin)
        assert versions == list(kept)
        # The message of the bookmark is deleted, and all that follow it are left.
        versions, _ = await read_versions(BrokerLog(settings, [DOSSIERS], VERIFIER), key, begin)
        assert versions == list(kept)


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
    async with asyncio.timeout(PATIENCE_S):
        versions, _ = await read_versions(BrokerLog(settings, [DOSSIERS], VERIFIER), key, {})
    assert versions == [1, 2]


class LostLog(BrokerLog):
    """A log whose broker is believed to have had more messages than it has."""

    async def _seek(
        self, consumer: AIOKafkaConsumer, bookmarks: Bookmarks
    ) -> tuple[dict[str, int], Mapping[str, int]]:
        following, ends = await super()._seek(consumer, bookmarks)
        return following, {name: end + 100 for name, end in ends.items()}


@pytest.mark.broker
async def test_read_ends_where_the_broker_lost_messages_meanwhile(
    settings: ServiceSettings, producer: AIOKafkaProducer, key: str
) -> None:
    await send_events(producer, progressed(key, 1), progressed(key, 2))
    async with asyncio.timeout(PATIENCE_S):
        versions, _ = await read_versions(LostLog(settings, [DOSSIERS], VERIFIER), key, {})
    assert versions == [1, 2]
