"""Verify the whole access ledger: `python -m gateway.ledger.commands`.

It checks the seals, the columns by which records are found (a changed one hides a record from a
search), and the anchors: those that the axis kept, out of reach of a process that can write the
database, those that callers kept in their receipts, and those that the database stored as
published. An anchor without a signature of the ledger's key is forged, and a message may hold none
at all: both are reported, and prove nothing about the ledger.

The exit status is 0 if all is intact and each chain agrees with an outside anchor, 1 if something
is damaged, and 2 if neither can be proved: there is no outside anchor, or not all data could be
read.
"""

import argparse
import asyncio
import logging
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from gateway.ledger.chain.anchors import (
    AnchorsUnreadableError,
    PublishedAnchors,
    read_axis_anchors,
    read_file_anchors,
    read_receipt_anchors,
)
from gateway.ledger.chain.evidence import Evidence
from gateway.ledger.chain.keys import list_trusted_keys
from gateway.ledger.chain.verification import State, verify_ledger
from gateway.settings import Settings
from shared.crypto.ed25519 import KeyUnfitError, read_private_key
from shared.database.errors import UNREACHABLE, is_outage
from shared.messaging.kafka import connection_options

EXIT_CODES = {State.INTACT: 0, State.DAMAGED: 1, State.NOT_PROVED: 2}
UNCHECKED = 2
MAX_FORGED_SHOWN = 20

# A database raises these before its first migration has run.
_NOT_MADE = (
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.UndefinedTableError,
)


def _parse_command_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m gateway.ledger.commands", description=__doc__)
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument(
        "--kafka", help="the address of the axis; default: KAFKA_SERVERS, if it answers"
    )
    kept.add_argument("--anchors", type=Path, help="a file with one message of the topic per line")
    parser.add_argument(
        "--receipts", type=Path, help="a file with one X-Ledger-Receipt header per line"
    )
    return parser.parse_args()


async def _read_outside_anchors(
    options: argparse.Namespace, axis: Mapping[str, Any]
) -> list[PublishedAnchors]:
    """Read the sources of the options; raise where a requested source cannot be read."""
    receipts = [read_receipt_anchors(options.receipts)] if options.receipts else []
    return [*receipts, await _read_published_heads(options, axis)]


async def _read_published_heads(
    options: argparse.Namespace, axis: Mapping[str, Any]
) -> PublishedAnchors:
    if options.anchors:
        return read_file_anchors(options.anchors)
    if options.kafka:
        return await read_axis_anchors({**axis, "bootstrap_servers": options.kafka})
    try:
        return await read_axis_anchors(axis)
    except (KafkaError, *UNREACHABLE):
        return PublishedAnchors([], [])


async def verify_whole_ledger() -> int:
    options, settings = _parse_command_options(), Settings.read()
    key = read_private_key("ledger_key", settings.ledger_key).public_key()
    trusted = list_trusted_keys(key, settings.ledger_keys_retired)
    evidence, told = Evidence(), await _read_outside_anchors(options, connection_options(settings))
    for source in told:
        evidence.add_published_anchors(source, trusted, outside=True)
    anchors = sum(len(source.anchors) for source in told)
    states, records = [], 0
    async for verdict in verify_ledger(settings.database, trusted, evidence):
        states.append(verdict.state)
        records += verdict.records
        print("\n".join(verdict.list_report_lines()), flush=True)  # noqa: T201 -- the output of the command
    for line in _list_rejected_anchors(evidence):
        print(line)  # noqa: T201 -- idem
    state = _find_worst_state(states, anchors)
    print(f"{records:,} records: {state}, {anchors:,} anchors from outside")  # noqa: T201 -- idem
    return EXIT_CODES[state]


def _find_worst_state(states: Sequence[State], anchors: int) -> State:
    """Return the worst state.

    Without an outside anchor an empty ledger may have been emptied, so it is not proved.
    """
    found = {*states} if anchors else {*states, State.NOT_PROVED}
    order = (State.DAMAGED, State.NOT_PROVED)
    return next((state for state in order if state in found), State.INTACT)


def _list_rejected_anchors(evidence: Evidence) -> list[str]:
    forged = [
        f"forged anchor, not signed by the ledger: {each.chain!r}, batch {each.version}"
        for each in evidence.forged
    ]
    found = [*forged, *(f"no anchor, although it stands for one: {p}" for p in evidence.unreadable)]
    hidden = len(found) - MAX_FORGED_SHOWN
    rest = [f"and {hidden:,} more"] if hidden > 0 else []
    return [*found[:MAX_FORGED_SHOWN], *rest]


def _describe_missing_part(error: Exception) -> str:
    """Return the missing part and its remedy; print the traceback of an unexpected error."""
    if isinstance(error, ValidationError) and error.title == Settings.__name__:
        names = ", ".join(str(each["loc"][0]).upper() for each in error.errors())
        return f"these settings are missing or wrong: {names}. See .env.example."
    if isinstance(error, KeyUnfitError):
        return f"{error}. See SECRETS_DIR."
    if isinstance(error, AnchorsUnreadableError):
        return f"{error}. See --anchors and --receipts."
    if isinstance(error, _NOT_MADE):
        return "the gateway's database is not made yet. Wait until `make status` says all is ready."
    if isinstance(error, KafkaError) or is_outage(error):
        return "database or axis do not answer. See `make status`, DATABASE_URL and --kafka."
    traceback.print_tb(error.__traceback__)  # the message may contain a record
    return type(error).__name__


def run_verification_command() -> int:
    logging.getLogger("aiokafka").setLevel(
        logging.CRITICAL
    )  # the command reports an unreachable broker itself
    try:
        return asyncio.run(verify_whole_ledger())
    except Exception as error:  # noqa: BLE001 -- after any error not all data was read
        print(f"Not checked: {_describe_missing_part(error)}", file=sys.stderr)  # noqa: T201 -- an error of the command
        return UNCHECKED


if __name__ == "__main__":
    sys.exit(run_verification_command())
