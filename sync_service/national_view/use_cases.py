"""Read the national view, and change it by events and by pushed rows.

A pushed row is projected in the transaction of its request, not from its own event in the worker:
its sender reads its own write at once, and the result of each row ("updated", "stale") is decided
on the very state that the row changes. Events and pushed rows both change it by `apply_changes`.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import date
from operator import attrgetter

from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.agency import canonical_agency_code
from shared.codes.dossier import DossierCode
from shared.codes.time import StoredInstant
from shared.web.calls.rights import Right
from shared.web.pagination import Page, PageQuery
from sync_service.agencies.use_cases import find_names
from sync_service.national_view.derived_times import (
    REQUEST,
    Milestones,
    follows_timeline,
    settled,
)
from sync_service.national_view.filters import DossierFilter
from sync_service.national_view.models import NationalDossier
from sync_service.national_view.problems import DossierNotFound
from sync_service.national_view.repository import changes, listings, states, timelines
from sync_service.national_view.schemas import NationalDossierOut, Timeline, TimelineEntryOut
from sync_service.national_view.state import Change, Entry, Standing

# A function of a higher feature that follows changes of dossiers in the same transaction.
Observer = Callable[[AsyncSession, Collection[Change]], Awaitable[None]]


async def list_dossiers(
    session: AsyncSession, right: Right, wanted: DossierFilter, today: date
) -> Page[NationalDossierOut]:
    """Return dossiers, newest first by reception (by filing while not yet received)."""
    paging = wanted.paging
    rows = await listings.listed(
        session,
        right,
        wanted,
        today=today,
        after=paging.key(StoredInstant, DossierCode),
        limit=paging.limit + 1,
    )
    page, following = paging.cut(list(rows), lambda row: (row.opened_at, row.code))
    return Page(items=await _shown(session, page, today), next=following)


async def read_dossier(
    session: AsyncSession, right: Right, code: str, today: date
) -> NationalDossierOut:
    """Raise DossierNotFound for an unknown dossier, or one outside the right."""
    if (found := await listings.dossier(session, right, code)) is None:
        raise DossierNotFound
    return (await _shown(session, [found], today))[0]


async def read_timeline(
    session: AsyncSession, right: Right, code: str, paging: PageQuery
) -> Timeline:
    """Return a page of the timeline, oldest first; raise DossierNotFound as `read_dossier`."""
    if await listings.dossier(session, right, code) is None:
        raise DossierNotFound
    after = paging.key(*timelines.TIMELINE_KEY)
    lines = await timelines.list_timeline(session, code, after=after, limit=paging.limit + 1)
    page, following = paging.cut(list(lines), attrgetter(*timelines.TIMELINE_ORDER))
    entries = [TimelineEntryOut.from_entry(entry) for entry in page]
    return Timeline(code=code, entries=entries, next=following)


async def _shown(
    session: AsyncSession, rows: Sequence[NationalDossier], today: date
) -> list[NationalDossierOut]:
    codes = {
        canonical_agency_code(code)
        for row in rows
        for code in (row.helped_by, row.received_by, row.decided_by)
        if code
    }
    names = await find_names(session, codes)
    return [NationalDossierOut.from_row(row, names, today) for row in rows]


async def lock_standings(session: AsyncSession, codes: Collection[str]) -> dict[str, Standing]:
    """Return the states of these dossiers, locked until the transaction ends, also if unknown."""
    await states.lock_codes(session, codes)
    return await states.standings(session, codes)


async def known_entries(session: AsyncSession, entries: Collection[Entry]) -> set[Entry]:
    """Return the timeline rows among these that are stored already."""
    return await timelines.known_entries(session, entries)


async def apply_changes(
    session: AsyncSession,
    before: Mapping[str, Standing],
    after: Mapping[str, Standing],
    entries: Collection[Entry],
    *,
    observers: Collection[Observer],
) -> None:
    """Change the view from `before` to `after`, and notify the observers of the changes.

    `entries` are new rows of the timelines.
    """
    spoken_of = {entry.code for entry in entries}
    touched = [
        each for each in after.values() if each.code in spoken_of or each != before.get(each.code)
    ]
    found = await _milestones(session, before, touched, entries)
    made = [settled(each, found.get(each.code, Milestones())) for each in touched]
    changed = [(before.get(each.code), each) for each in made if each != before.get(each.code)]
    await changes.write_changes(session, changed, entries)
    if changed:
        # Observers come last, because other writers of the same counters wait until the commit.
        for observe in observers:
            await observe(session, changed)


async def _milestones(
    session: AsyncSession,
    before: Mapping[str, Standing],
    touched: Collection[Standing],
    entries: Collection[Entry],
) -> Mapping[str, Milestones]:
    """Return the derived times of the dossiers whose timeline has any influence."""
    asked = {entry.code for entry in entries if entry.status == REQUEST}
    asked |= {each.code for each in before.values() if each.requested_at}
    dated = [
        each
        for each in touched
        if each.code in asked or (each.has_ended and follows_timeline(each))
    ]
    return await timelines.find_milestones(session, dated, entries) if dated else {}
