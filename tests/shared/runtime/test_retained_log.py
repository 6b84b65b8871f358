"""The retained log is read from its oldest event or an offset to its end, without forgeries."""

import pytest
from aiokafka import AIOKafkaProducer

from shared.events import DossierProgressed
from shared.runtime.retained_log import BrokerLog, Offsets
from shared.settings import ServiceSettings
from tests.shared.mechanics import DOSSIERS, progressed, record
from tests.support.event_keys import VERIFIER


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
