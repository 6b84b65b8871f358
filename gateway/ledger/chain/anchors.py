"""Read the published anchors of chains from the axis, from files and from receipts."""

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from gateway.ledger.chain.chain import is_chain_name
from gateway.ledger.chain.seals import BatchHeader, hash_batch_header
from shared.events import LedgerAnchored
from shared.messaging.kafka import read_records
from shared.web.calls.internal_headers import RECEIPT_HEADER

ANSWER_MS = 5_000
BATCH_SIZE = 500
_SEAL_MEMBER = re.compile(rb"(?<![a-z])(head|signature)=:([A-Za-z0-9+/=]*):")


class AnchorsUnreadableError(Exception):
    """The named file cannot be read, or contains no anchor."""


class PublishedAnchors(NamedTuple):
    """The anchors of one source, and the places of its messages without an anchor."""

    anchors: list[LedgerAnchored]
    unreadable: list[str]

    def add_message(
        self, place: str, read: Callable[[bytes], LedgerAnchored], message: bytes
    ) -> None:
        """Add the anchor of a message; note the place of a message that contains none.

        An anchor of a chain that no gateway makes is none: its name may be any text.
        """
        try:
            anchor = read(message)
        except ValueError:  # and ValidationError, which is one
            self.unreadable.append(place)
            return
        if is_chain_name(anchor.chain):
            self.anchors.append(anchor)
        else:
            self.unreadable.append(place)


async def read_axis_anchors(options: Mapping[str, Any]) -> PublishedAnchors:
    """Read all anchors of the topic; raise KafkaError or TimeoutError without an answer."""
    consumer = AIOKafkaConsumer(
        LedgerAnchored.topic,
        **options,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        request_timeout_ms=ANSWER_MS,
    )
    anchors = PublishedAnchors([], [])
    try:
        await consumer.start()
        begins = await consumer.beginning_offsets(consumer.assignment())
        ends = await consumer.end_offsets(begins)
        for partition, offset in begins.items():
            consumer.seek(partition, offset)
        while waiting := [partition for partition in begins if begins[partition] < ends[partition]]:
            batch = await read_records(
                consumer, *waiting, timeout_ms=ANSWER_MS, max_records=BATCH_SIZE
            )
            if not batch.following:
                raise TimeoutError("the axis fell silent")
            for partition, records in batch.records.items():
                for record in records:
                    place = _name_place(partition, record.offset)
                    anchors.add_message(place, parse_anchor_message, record.value or b"")
            for partition, offsets in batch.unreadable.items():
                anchors.unreadable.extend(_name_place(partition, offset) for offset in offsets)
            begins.update(batch.following)
    finally:
        await consumer.stop()
    return anchors


def _name_place(partition: TopicPartition, offset: int) -> str:
    return f"message {offset} of partition {partition.partition}"


def read_file_anchors(path: Path) -> PublishedAnchors:
    """Read a file with one message of the topic per line, as any Kafka client prints it.

    Raise AnchorsUnreadableError.
    """
    return _read_anchor_lines(path, parse_anchor_message, "message of its topic")


def read_receipt_anchors(path: Path) -> PublishedAnchors:
    """Read a file with one X-Ledger-Receipt per line, with or without the name of the header.

    Raise AnchorsUnreadableError.
    """
    return _read_anchor_lines(path, _parse_receipt_anchor, RECEIPT_HEADER)


def _read_anchor_lines(
    path: Path, read: Callable[[bytes], LedgerAnchored], name: str
) -> PublishedAnchors:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise AnchorsUnreadableError(f"{path}: {error.strerror}") from None
    anchors = PublishedAnchors([], [])
    for number, line in enumerate(lines, 1):
        if line.strip():
            anchors.add_message(f"{path}: line {number}", read, line)
    if anchors.unreadable and not anchors.anchors:
        raise AnchorsUnreadableError(f"{anchors.unreadable[0]} is no {name}")
    return anchors


def _parse_receipt_anchor(line: bytes) -> LedgerAnchored:
    members = dict(_SEAL_MEMBER.findall(line))
    if set(members) != {b"head", b"signature"}:
        raise ValueError("a receipt has a head and its signature")
    text = b64decode(members[b"head"], validate=True).decode()
    header = BatchHeader.model_validate_json(text)
    return LedgerAnchored(
        chain=header.chain,
        version=header.number,
        head=hash_batch_header(text.encode()),
        signature=members[b"signature"].decode(),
        at=datetime.fromisoformat(header.at),
        header=text,
    )


def parse_anchor_message(message: bytes) -> LedgerAnchored:
    """Parse the anchor of a message of the topic; raise ValueError where it contains none."""
    return LedgerAnchored.model_validate_json(message)
