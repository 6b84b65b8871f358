"""How what is told of dossiers becomes the national view: one way, for events and pushed rows.

A pushed row is projected in the transaction of its request, not from its own event in the worker:
its sender reads at once what it wrote, and the answer to each row ("updated", "stale", "held by
another") is decided on the very row it changes. Both ways meet in `take`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from zlib import crc32

from sqlalchemy import ARRAY, Integer, bindparam, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.events import (
    AgencyChanged,
    DossierEvent,
    DossierMoved,
    DossierProgressed,
    FeePaid,
    ResultIssued,
)
from sync_service import store, tallies
from sync_service.agencies import lineage, today_form
from sync_service.models import (
    Agency,
    NationalDossier,
    Party,
    TallyState,
    TimelineEntry,
    table,
)
from sync_service.sets import given, insertion, upsert
from sync_service.standings import OWN, Standing, newer_own, own

STRIPES = 256
STRIPE_LOCK = 7_101
NO_MILESTONES = store.Milestones(None, 0, None)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a timeline."""

    code: str
    at: datetime
    kind: str
    status: int
    detail: str
    source: str


async def project_dossiers(session: AsyncSession, events: Sequence[DossierEvent]) -> None:
    """Our own dossiers. A late event still gets its line; the standing keeps the newest."""
    codes = {event.code for event in events}
    before = await lock_standings(session, codes)
    after = dict(before)
    for event in events:
        told = own(event)
        if newer_own(after.get(event.code), told):
            after[event.code] = told
    entries = [_entry(event) for event in events]
    await keep_entries(session, entries)
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
    return Entry(event.code, event.at, kind, event.status, detail, OWN)


async def lock_standings(session: AsyncSession, codes: Collection[str]) -> dict[str, Standing]:
    """Where these dossiers stand; until the transaction ends nobody else changes or adds them."""
    # A row that is not there cannot be locked: so the code is, by a stripe that it falls into.
    stripes = sorted({crc32(code.encode()) % STRIPES for code in codes})
    stripe = func.unnest(bindparam(None, stripes, type_=ARRAY(Integer))).column_valued("stripe")
    locks = select(func.pg_advisory_xact_lock(STRIPE_LOCK, stripe)).subquery()
    await session.execute(select(func.count()).select_from(locks))
    return await store.standings(session, codes)


async def keep_entries(session: AsyncSession, entries: Sequence[Entry]) -> Collection[Entry]:
    """Adds them to the timelines; gives back those that were not there yet."""
    if not entries:
        return set()
    names = Entry.__slots__
    rows = [{name: getattr(entry, name) for name in names} for entry in entries]
    added = insertion(TimelineEntry, rows).on_conflict_do_nothing()
    kept = [table(TimelineEntry).c[name] for name in names]
    return {Entry(*row) for row in await session.execute(added.returning(*kept))}


async def take(
    session: AsyncSession,
    before: Mapping[str, Standing],
    after: Mapping[str, Standing],
    entries: Iterable[Entry],
) -> None:
    """Makes the view and the tallies say `after`, where they said `before`.

    `entries` are the lines that the timelines got from what is being told.
    """
    requested = {entry.code for entry in entries if entry.status == store.REQUEST}
    requested |= {each.code for each in before.values() if each.requests}
    untold = {each.code for each in after.values() if each.has_ended and each.finished_at is None}
    dated = [each for each in after.values() if each.code in requested | untold]
    milestones = await store.milestones(session, dated)
    settled = [_settled(each, milestones.get(each.code, NO_MILESTONES)) for each in after.values()]
    changed = [each for each in settled if each != before.get(each.code)]
    if not changed:
        return
    await session.execute(upsert(NationalDossier, [_row(each) for each in changed], "code"))
    pairs = [(before.get(each.code), each) for each in changed]
    await _place_parties(session, pairs)
    await name_agencies(session, {code for each in changed for code in each.parties()})
    await _count(session, pairs)


def _settled(standing: Standing, found: store.Milestones) -> Standing:
    end = standing.finished_at or found.ended_at or standing.source_time
    made = (end if standing.has_ended else None, found.requests, found.requested_at)
    if made == (standing.ended_at, standing.requests, standing.requested_at):
        return standing
    ended_at, requests, requested_at = made
    return replace(standing, ended_at=ended_at, requests=requests, requested_at=requested_at)


def _row(standing: Standing) -> dict[str, object]:
    made = {
        "national_procedure": standing.national_procedure,
        "opened_at": standing.opened_at,
        "deciding": today_form(standing.decided_by),
    }
    return {name: getattr(standing, name) for name in Standing.__slots__} | made


async def _place_parties(
    session: AsyncSession, pairs: Iterable[tuple[Standing | None, Standing]]
) -> None:
    moved = [(old, new) for old, new in pairs if old is None or _place(old) != _place(new)]
    left = [row for old, _ in moved if old for row in _party_rows(old)]
    if left:
        there = given(Party, left)
        same = [table(Party).c[name] == there.c[name] for name in ("agency", "opened_at", "code")]
        await session.execute(delete(Party).where(*same))
    if moved:
        rows = [row for _, new in moved for row in _party_rows(new)]
        await session.execute(insertion(Party, rows).on_conflict_do_nothing())


def _place(standing: Standing) -> tuple[object, ...]:
    return standing.opened_at, standing.helped_by, standing.received_by, standing.decided_by


def _party_rows(standing: Standing) -> list[dict[str, object]]:
    return [
        {"agency": agency, "opened_at": standing.opened_at, "code": standing.code}
        for agency in standing.parties()
    ]


async def name_agencies(session: AsyncSession, codes: AbstractSet[str]) -> None:
    """Agencies that dossiers name before the registry has told of them."""
    known = set((await store.agencies(session, codes)).keys())
    rows = [
        {"code": code, "above": lineage(code)[1], "version": 0} for code in sorted(codes - known)
    ]
    if rows:
        await session.execute(insertion(Agency, rows).on_conflict_do_nothing())


async def _count(session: AsyncSession, pairs: Sequence[tuple[Standing | None, Standing]]) -> None:
    await tallies.count(session, pairs)
    taken = {"changes": TallyState.changes + len(pairs), "at": func.clock_timestamp()}
    await session.execute(update(TallyState).values(taken))


async def project_agencies(session: AsyncSession, events: Sequence[AgencyChanged]) -> None:
    newest: dict[str, AgencyChanged] = {}
    for event in events:
        code = today_form(event.code)
        if code not in newest or newest[code].version < event.version:
            newest[code] = event
    rows = [
        {
            "code": code,
            "above": lineage(code)[1],
            "version": event.version,
            "name": event.name,
            "level": event.level,
            "valid_to": event.valid_to,
            "successor": event.successor,
        }
        for code, event in sorted(newest.items())
    ]
    statement = insertion(Agency, rows)
    others = {name: statement.excluded[name] for name in rows[0] if name != "code"}
    newer = Agency.version < statement.excluded.version
    await session.execute(
        statement.on_conflict_do_update(index_elements=["code"], set_=others, where=newer)
    )
