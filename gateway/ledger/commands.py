"""The command that verifies the whole access ledger: `python -m gateway verify-ledger`.

It checks the seals, the columns by which records are found (a changed one hides a record from a
search), and the anchors: those that the axis kept, out of reach of a process that can write the
database, those that callers kept in their receipts, and those that the database stored as
published. An anchor without a signature of the ledger's key is forged, and a message may hold none
at all: both are reported, and prove nothing about the ledger.

The exit status is 0 if all is intact and each chain agrees with an outside anchor, 1 if something
is damaged, and 2 if neither can be proved: there is no outside anchor, or not all data could be
read.
"""

import logging
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import typer
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from gateway.ledger.chain import verification
from gateway.ledger.chain.anchors import (
    AnchorsUnreadableError,
    PublishedAnchors,
    read_axis_anchors,
    read_file_anchors,
    read_receipt_anchors,
)
from gateway.ledger.chain.evidence import Evidence
from gateway.ledger.chain.keys import list_trusted_keys
from gateway.ledger.chain.verification import ChainState
from gateway.settings import Settings
from shared.crypto.ed25519 import KeyUnfitError, read_private_key
from shared.database.errors import UNREACHABLE, is_outage
from shared.messaging.kafka import connection_options
from shared.runtime.invocation import run_async

EXIT_CODES = {ChainState.INTACT: 0, ChainState.DAMAGED: 1, ChainState.NOT_PROVED: 2}
UNCHECKED = 2
MAX_FORGED_SHOWN = 20

# A database raises these before its first migration has run.
_NOT_MADE = (
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.UndefinedTableError,
)


@dataclass(frozen=True)
class OutsideSources:
    """The sources of anchors that were asked for; without an address, KAFKA_SERVERS if it answers.

    `anchors` has one message of the topic per line, `receipts` one X-Ledger-Receipt header.
    """

    kafka: str | None = None
    anchors: Path | None = None
    receipts: Path | None = None


async def _read_outside_anchors(
    sources: OutsideSources, axis: Mapping[str, Any]
) -> list[PublishedAnchors]:
    """Read the sources; raise where one that was asked for cannot be read."""
    receipts = [read_receipt_anchors(sources.receipts)] if sources.receipts else []
    return [*receipts, await _read_published_heads(sources, axis)]


async def _read_published_heads(
    sources: OutsideSources, axis: Mapping[str, Any]
) -> PublishedAnchors:
    if sources.anchors:
        return read_file_anchors(sources.anchors)
    if sources.kafka:
        return await read_axis_anchors({**axis, "bootstrap_servers": sources.kafka})
    try:
        return await read_axis_anchors(axis)
    except (KafkaError, *UNREACHABLE):
        return PublishedAnchors([], [])


async def verify_whole_ledger(sources: OutsideSources) -> int:
    settings = Settings.read()
    key = read_private_key("ledger_key", settings.ledger_key).public_key()
    trusted = list_trusted_keys(key, settings.ledger_keys_retired)
    evidence = Evidence()
    outside = await _read_outside_anchors(sources, connection_options(settings))
    for source in outside:
        evidence.add_published_anchors(source, trusted, outside=True)
    states, records, is_held = [], 0, False
    async for verdict in verification.verify_ledger(settings.database, trusted, evidence):
        states.append(verdict.state)
        records += verdict.records
        is_held |= verdict.held_to > 0
        typer.echo("\n".join(verdict.list_report_lines()))
    for line in _list_rejected_anchors(evidence):
        typer.echo(line)
    anchors = evidence.count_signed_anchors()
    state = _find_worst_state(states, is_held=is_held or anchors > 0)
    typer.echo(f"{records:,} records: {state}, {anchors:,} signed anchors from outside")
    return EXIT_CODES[state]


def _find_worst_state(states: Sequence[ChainState], *, is_held: bool) -> ChainState:
    """Return the worst state.

    Without an outside anchor that is signed or agrees with a chain, an empty ledger may have been
    emptied, so it is not proved.
    """
    distinct = {*states} if is_held else {*states, ChainState.NOT_PROVED}
    order = (ChainState.DAMAGED, ChainState.NOT_PROVED)
    return next((state for state in order if state in distinct), ChainState.INTACT)


def _list_rejected_anchors(evidence: Evidence) -> list[str]:
    forged = [
        f"forged anchor, not signed by the ledger: {anchor.chain!r}, batch {anchor.version}"
        for anchor in evidence.forged
    ]
    lines = [*forged, *(f"no anchor, although it stands for one: {p}" for p in evidence.unreadable)]
    hidden = len(lines) - MAX_FORGED_SHOWN
    rest = [f"and {hidden:,} more"] if hidden > 0 else []
    return [*lines[:MAX_FORGED_SHOWN], *rest]


def _describe_missing_part(error: Exception) -> str:
    """Return the missing part and its remedy; print the traceback of an unexpected error."""
    if isinstance(error, ValidationError) and error.title == Settings.__name__:
        names = ", ".join(str(fault["loc"][0]).upper() for fault in error.errors())
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


def verify_ledger(
    kafka: Annotated[
        str | None, typer.Option(help="address of the axis; default: KAFKA_SERVERS, if it answers")
    ] = None,
    anchors: Annotated[
        Path | None, typer.Option(help="in place of the axis: a file with one message per line")
    ] = None,
    receipts: Annotated[
        Path | None, typer.Option(help="a file with one X-Ledger-Receipt header per line")
    ] = None,
) -> None:
    """Verify every record and seal; end with 1 if one is damaged, with 2 if it is not proved."""
    if kafka and anchors:
        raise typer.BadParameter("Give --kafka or --anchors, not both.")
    sources = OutsideSources(kafka, anchors, receipts)
    # The command reports an unreachable broker itself.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        exit_code = run_async(lambda: verify_whole_ledger(sources))
    except Exception as error:  # noqa: BLE001 -- after any error not all data was read
        typer.echo(f"Not checked: {_describe_missing_part(error)}", err=True)
        exit_code = UNCHECKED
    raise typer.Exit(exit_code)
