"""What the axis is told of a chain, and what it can then prove."""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer

from gateway.ledger.seals import BatchHeader, header_digest
from gateway.models import LedgerSeal
from shared.events import LedgerAnchored

ANSWER_MS = 5_000
_SEAL_MEMBER = re.compile(rb"(?<![a-z])(head|signature)=:([A-Za-z0-9+/=]*):")


class AnchorsUnreadableError(Exception):
    """The file that was named cannot be read, or holds something else."""


def anchored(seal: LedgerSeal) -> LedgerAnchored:
    """`head` is the SHA-256 (hex) of the header, `version` its number, `signature` the seal's."""
    return LedgerAnchored(
        chain=seal.chain,
        version=seal.number,
        head=header_digest(seal.header.encode()),
        signature=b64encode(seal.signature).decode(),
        at=seal.at,
        header=seal.header,
    )


async def anchors_on_axis(options: Mapping[str, Any]) -> Sequence[LedgerAnchored]:
    """All that the topic holds now; raises KafkaError or TimeoutError where nobody answers."""
    consumer = AIOKafkaConsumer(
        LedgerAnchored.topic,
        **options,
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
    return list(_each_line(path, _read, "message of its topic"))


def anchors_in_receipts(path: Path) -> Sequence[LedgerAnchored]:
    """Read one X-Ledger-Receipt a line, with or without the name of the header before it.

    Raises AnchorsUnreadableError.
    """
    return list(_each_line(path, _read_receipt, "X-Ledger-Receipt"))


def _each_line(
    path: Path, read: Callable[[bytes], LedgerAnchored], name: str
) -> Iterator[LedgerAnchored]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise AnchorsUnreadableError(f"{path}: {error.strerror}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield read(line)
        except ValueError:  # and ValidationError, which is one
            raise AnchorsUnreadableError(f"{path}: line {number} is no {name}") from None


def _read_receipt(line: bytes) -> LedgerAnchored:
    found = dict(_SEAL_MEMBER.findall(line))
    if set(found) != {b"head", b"signature"}:
        raise ValueError("a receipt has a head and its signature")
    text = b64decode(found[b"head"], validate=True).decode()
    header = BatchHeader.model_validate_json(text)
    return LedgerAnchored(
        chain=header.chain,
        version=header.number,
        head=header_digest(text.encode()),
        signature=found[b"signature"].decode(),
        at=datetime.fromisoformat(header.at),
        header=text,
    )


def _read(message: bytes) -> LedgerAnchored:
    return LedgerAnchored.model_validate_json(message)
