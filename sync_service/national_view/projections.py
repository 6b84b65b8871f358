"""How what is told of dossiers becomes the national view: one way, for events and pushed rows.

A pushed row is projected in the transaction of its request, not from its own event in the worker:
its sender reads at once what it wrote, and the answer to each row ("updated", "stale", "held by
another") is decided on the very row it changes. Both ways meet in `take`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from operator import attrgetter
from zlib import crc32

from sqlalchemy import Delete, Select, delete, literal, select, text
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.agency import canonical_agency_code
from shared.codes.enums import DossierStatus
from shared.codes.time import utc_now
from shared.events import (
    AgencyChanged,
    DossierEvent,
    DossierMoved,
    DossierProgressed,
    FeePaid,
    ResultIssued,
)
from shared.rules.deadlines import extended_by_all
from sync_service.agencies.hierarchy import lineage
from sync_service.agencies.models import Agency
from sync_service.database import table
from sync_service.indicators import counters as tallies
from sync_service.national_view.derived_times import REQUEST, Milestones, find_milestones
from sync_service.national_view.models import NationalDossier, Party, PendingParty, TimelineEntry
from sync_service.national_view.repository import listings as store
from sync_service.national_view.state import OWN, Entry, Standing, newer_own, own
from sync_service.sets import columns, given, insertion, upsert

STRIPES = 256
STRIPE_LOCK = 7_101
STANDING = (*Standing.__slots__, "national_procedure", "opened_at", "deciding")
PLACE = ("agency", "opened_at", "code")
PARTY = (*PLACE, "national_procedure", "channel", "deciding")
AGENCY = ("code", "above", "version")
REGISTERED = (*AGENCY, "name", "level", "valid_from", "valid_to", "successor")


async def project_dossiers(session: AsyncSession, events: Sequence[DossierEvent]) -> None:
    """Our own dossiers. A late event still gets its line; the standing keeps the newest."""
    codes = {event.code for event in events}
    before = await lock_standings(session, codes)
    after, now = dict(before), utc_now()
    for event in events:
        told = own(event, now)
        if newer_own(after.get(event.code), told):
            after[event.code] = told
    entries = [_entry(event) for event in events]
    await take(session, before, after, entries)


def _entry(event: DossierEvent) -> Entry:
    match event:
        case DossierProgressed():
            detail = event.step
        case DossierMoved():
            detail = event.reason or ""
        case FeePaid():
            detail = event.fee
        case ResultIssued():
            detail = event.result
        case _:
            detail = ""
    kind = event.event_type.removeprefix("dossier.").removesuffix(".v1")
    return Entry(event.code, event.at, kind, event.status, detail, OWN, event.version, 0)


async def lock_standings(session: AsyncSession, codes: Collection[str]) -> dict[str, Standing]:
    """Where these dossiers stand; until the transaction ends nobody else changes or adds them."""
    # A row that is not there cannot be locked: so the code is, by a stripe that it falls into.
    stripes = sorted({crc32(code.encode()) % STRIPES for code in codes})
    await session.execute(_LOCK, {"stripes": stripes})
    return await store.standings(session, codes)


async def take(
    session: AsyncSession,
    before: Mapping[str, Standing],
    after: Mapping[str, Standing],
    entries: Collection[Entry],
) -> None:
    """Makes the view and the tallies say `after`, where they said `before`.

    `entries` are the lines that the timelines get from what is being told.
    """
    spoken_of = {entry.code for entry in entries}
    touched = [
        each for each in after.values() if each.code in spoken_of or each != before.get(each.code)
    ]
    found = await _milestones(session, before, touched, entries)
    settled = [_settled(each, found.get(each.code, Milestones())) for each in touched]
    changed = [each for each in settled if each != before.get(each.code)]
    pairs = [(before.get(each.code), each) for each in changed]
    named = {agency for each in changed for agency in each.parties()}
    given_columns = (
        columns(TimelineEntry, Entry._fields, entries)
        | columns(NationalDossier, STANDING, map(_row, changed))
        | columns(Agency, AGENCY, ((code, lineage(code)[1], 0) for code in sorted(named)))
        | await _place_parties(session, Party, pairs)
        | await _place_parties(session, PendingParty, pairs)
    )
    await session.execute(_writing(), given_columns)
    if pairs:
        # The tallies come last: whoever changes the same cells waits for this transaction's end.
        await tallies.count(session, pairs)


async def _milestones(
    session: AsyncSession,
    before: Mapping[str, Standing],
    touched: Collection[Standing],
    entries: Collection[Entry],
) -> Mapping[str, Milestones]:
    """Return the milestones of the dossiers whose timeline decides anything."""
    asked = {entry.code for entry in entries if entry.status == REQUEST}
    asked |= {each.code for each in before.values() if each.requested_at}
    dated = [
        each
        for each in touched
        if each.code in asked or (each.has_ended and _follows_timeline(each))
    ]
    return await find_milestones(session, dated, entries) if dated else {}


def _follows_timeline(standing: Standing) -> bool:
    """Return whether the end of an ended dossier depends on its timeline."""
    return standing.finished_at is None or standing.status == DossierStatus.RETURNED


def _end_of(standing: Standing, found: Milestones) -> datetime:
    """Return the end of an ended dossier: the one that its last full row gives comes first.

    Papers that were handed back after a withdrawal or a stop (10 after 7 or 8) do not move the end
    beyond the withdrawal or the stop, also where the row gives the day of the return as the end.
    """
    given_end, derived = standing.finished_at, found.ended_at
    if given_end is None or derived is None:
        return given_end or derived or standing.source_time
    is_return = standing.status == DossierStatus.RETURNED
    return min(given_end, derived) if is_return and found.is_broken_off else given_end


def _settled(standing: Standing, found: Milestones) -> Standing:
    end = _end_of(standing, found)
    latest_at = standing.latest_at
    if standing.term_ends_at is not None:
        latest_at = extended_by_all(standing.term_ends_at, found.waits)
    made = (end if standing.has_ended else None, found.requests, found.requested_at, latest_at)
    if made == _made(standing):
        return standing
    ended_at, requests, requested_at, latest_at = made
    return replace(
        standing,
        ended_at=ended_at,
        requests=requests,
        requested_at=requested_at,
        latest_at=latest_at,
    )


_made = attrgetter("ended_at", "requests", "requested_at", "latest_at")
_told = attrgetter(*Standing.__slots__)


def _row(standing: Standing) -> tuple[object, ...]:
    """The values of STANDING."""
    made = (
        standing.national_procedure,
        standing.opened_at,
        canonical_agency_code(standing.decided_by),
    )
    return *_told(standing), *made


async def _place_parties(
    session: AsyncSession,
    party: type[Party | PendingParty],
    pairs: Iterable[tuple[Standing | None, Standing]],
) -> dict[str, Sequence[object]]:
    """Takes the parties away that have left; gives back those to be added."""
    rows = _party_rows if party is Party else _pending_rows
    moved = [(old, new) for old, new in pairs if old is None or _place(old) != _place(new)]
    come = {row for _, new in moved for row in rows(new)}
    stood = {row for old, _ in moved if old for row in rows(old)}
    if left := stood - come:
        places = [row[: len(PLACE)] for row in left]
        await session.execute(_leaving(party), columns(party, PLACE, places))
    return columns(party, PARTY, sorted(come - stood))


def _is_pending(standing: Standing) -> bool:
    return standing.status != DossierStatus.RETURNED


_told_place = attrgetter(
    "opened_at", "helped_by", "received_by", "decided_by", "national_procedure", "channel"
)


def _place(standing: Standing) -> tuple[object, ...]:
    return *_told_place(standing), _is_pending(standing)


def _party_rows(standing: Standing) -> list[tuple[str, datetime, str, str, int, str]]:
    """The values of PARTY."""
    deciding = canonical_agency_code(standing.decided_by)
    told = standing.code, standing.national_procedure, standing.channel, deciding
    return [(agency, standing.opened_at, *told) for agency in standing.parties()]


def _pending_rows(standing: Standing) -> list[tuple[str, datetime, str, str, int, str]]:
    return _party_rows(standing) if _is_pending(standing) else []


_LOCK = text(
    f"SELECT count(pg_advisory_xact_lock({STRIPE_LOCK}, stripe))"  # noqa: S608 -- our own constant
    " FROM unnest(CAST(:stripes AS integer[])) AS stripe"
)


@cache
def _leaving(party: type[Party | PendingParty]) -> Delete:
    there, left = table(party).c, given(party, *PLACE)
    return delete(table(party)).where(*(there[name] == left.c[name] for name in PLACE))


@cache
def _writing() -> Select[int]:
    """All but the tallies, as one statement.

    An agency that a dossier names before the registry has told of it gets a row without a name.
    """
    parts = {
        "line": insertion(TimelineEntry, *Entry._fields).on_conflict_do_nothing(),
        "stand": upsert(NationalDossier, "code", *STANDING),
        "place": insertion(Party, *PARTY).on_conflict_do_nothing(),
        "pending": insertion(PendingParty, *PARTY).on_conflict_do_nothing(),
        "name": insertion(Agency, *AGENCY).on_conflict_do_nothing(),
    }
    return select(literal(1)).add_cte(*(part.cte(name) for name, part in parts.items()))


async def project_agencies(session: AsyncSession, events: Sequence[AgencyChanged]) -> None:
    newest: dict[str, AgencyChanged] = {}
    for event in events:
        code = canonical_agency_code(event.code)
        if code not in newest or newest[code].version < event.version:
            newest[code] = event
    told = attrgetter(*REGISTERED[len(AGENCY) - 1 :])
    rows = [(code, lineage(code)[1], *told(each)) for code, each in sorted(newest.items())]
    await session.execute(_registering(), columns(Agency, REGISTERED, rows))


@cache
def _registering() -> Insert:
    statement = insertion(Agency, *REGISTERED)
    others = {name: statement.excluded[name] for name in REGISTERED if name != "code"}
    newer = table(Agency).c.version < statement.excluded.version
    return statement.on_conflict_do_update(index_elements=["code"], set_=others, where=newer)
