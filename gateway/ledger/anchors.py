"""What the axis is told of a chain, and what it can then prove."""

from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

from aiokafka import AIOKafkaConsumer
from pydantic import ValidationError

from gateway.ledger.seals import header_digest
from gateway.models import LedgerSeal
from shared.events import LedgerAnchored

ANSWER_MS = 5_000


class AnchorsUnreadableError(Exception):
    """The file that was named cannot be read, or holds something else."""


def anchored(seal: LedgerSeal) -> LedgerAnchored:
    """`head` is the SHA-256 (hex) of the header, `version` its number."""
    return LedgerAnchored(
        chain=seal.chain,
        version=seal.number,
        head=header_digest(seal.header.encode()),
        signature=b64encode(seal.signature).decode(),
        at=seal.at,
    )


async def anchors_on_axis(servers: str) -> Sequence[LedgerAnchored]:
    """All that the topic holds now; raises KafkaError or TimeoutError where nobody answers."""
    consumer = AIOKafkaConsumer(
        LedgerAnchored.topic,
        bootstrap_servers=servers,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        request_timeout_ms=ANSWER_MS,
    )
    told: list[LedgerAnchored] = []
    try:
        await consumer.start()
        begins = await consumer.beginning_offsets(consumer.assignment())
        ends = await consumer.end_offsets(begins)
        while waiting := [each for each in begins if begins[each] < ends[each]]:
            found = await consumer.getmany(*waiting, timeout_ms=ANSWER_MS)
            if not found:
                raise TimeoutError("the axis fell silent")
            for partition, records in found.items():
                told += [_read(record.value) for record in records]
                begins[partition] = records[-1].offset + 1
    finally:
        await consumer.stop()
    return told


def anchors_in_file(path: Path) -> Sequence[LedgerAnchored]:
    """One message of the topic on each line, as any Kafka client prints it.

    Raises AnchorsUnreadableError.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise AnchorsUnreadableError(f"{path}: {error.strerror}") from None
    return [_in_line(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _in_line(path: Path, number: int, line: bytes) -> LedgerAnchored:
    try:
        return _read(line)
    except ValidationError:
        raise AnchorsUnreadableError(f"{path}: line {number} is no message of its topic") from None


def _read(message: bytes) -> LedgerAnchored:
    return LedgerAnchored.model_validate_json(message)
