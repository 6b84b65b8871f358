"""Records that a broker takes and the library of the consumers cannot decode."""

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.util import calc_crc32c

MARK = b"name-of-the-header"
# Places in a record batch: the checksum is of all that follows it.
CRC, ATTRIBUTES = 17, 21


async def send_unreadable(
    producer: AIOKafkaProducer, topic: str, partition: int, *, before: int = 0
) -> None:
    """Send a batch of readable forgeries and one record whose header has a name of no encoding."""
    # One batch, so that the library fails in the middle of it.
    batch: BatchBuilder = producer.create_batch()
    for number in range(before):
        batch.append(timestamp=None, key=b"k", value=b"%d" % number)
    batch.append(timestamp=None, key=b"k", value=b"{}", headers=[(MARK.decode(), b"v")])
    build = batch._build

    def build_with_bad_name() -> bytes:
        raw = bytearray(build())
        place = raw.find(MARK)
        if place >= 0:
            raw[place : place + 2] = b"\xff\xfe"
            raw[CRC:ATTRIBUTES] = calc_crc32c(bytes(raw[ATTRIBUTES:])).to_bytes(4, "big")
        batch._buffer = bytes(raw)
        return bytes(raw)

    batch._build = build_with_bad_name
    await (await producer.send_batch(batch, topic, partition=partition))
