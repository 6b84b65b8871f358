"""Read the national view, and change it by events and by pushed rows.

A pushed row is projected in the transaction of its request, not from its own event in the worker:
its sender reads its own write at once, and the result of each row ("updated", "stale") is decided
on the very state that the row changes. Events and pushed rows both change it by `apply_changes`.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import date
from operator import attrgetter
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.agency import canonical_agency_code
from shared.codes.dossier import DossierCode
from shared.codes.time import StoredInstant
from shared.web.calls.rights import Right
from shared.web.pagination import Page, PageParameters
from sync_service.agencies.use_cases import list_agency_names
from sync_service.national_view.derived_times import (
    REQUEST,
    DerivedTimes,
    apply_times,
    follows_timeline,
)
from sync_service.national_view.filters import NationalDossierFilter, TimelineFilter
from sync_service.national_view.models import NationalDossier
from sync_service.national_view.problems import DossierNotFound
from sync_service.national_view.repository import (
    changes,
    listings,
    rebuilds,
    restoring,
    states,
    timelines,
)
from sync_service.national_view.repository.rebuilds import RebuildProgress
from sync_service.national_view.schemas import NationalDossierOut, Timeline, TimelineEntryOut
from sync_service.national_view.state import Change, DossierState, TimelineRow

# A function of a higher feature that follows changes of dossiers in the same transaction.
Observer = Callable[[AsyncSession, Collection[Change]], Awaitable[None]]


async def list_dossiers(
    session: AsyncSession,
    filters: NationalDossierFilter,
    page: PageParameters,
    *,
    right: Right,
    today: date,
) -> Page[NationalDossierOut]:
    """Return dossiers, newest first by reception (by filing while not yet received)."""
    keyset = filters.read_keyset(page)
    rows = await listings.list_dossiers(
        session,
        right,
        filters,
        today=today,
        after=keyset.key(StoredInstant, DossierCode),
        limit=keyset.limit + 1,
    )
    page_rows, next_cursor = keyset.cut(list(rows), lambda row: (row.opened_at, row.code))
    return Page(items=await _build_responses(session, page_rows, today), next=next_cursor)


async def read_dossier(
    session: AsyncSession, code: str, *, right: Right, today: date
) -> NationalDossierOut:
    """Raise DossierNotFound for an unknown dossier, or one outside the right."""
    if (row := await listings.find_dossier(session, right, code)) is None:
        raise DossierNotFound
    return (await _build_responses(session, [row], today))[0]


async def read_timeline(
    session: AsyncSession, code: str, page: PageParameters, *, right: Right
) -> Timeline:
    """Return a page of the timeline, oldest first; raise DossierNotFound as `read_dossier`."""
    keyset = TimelineFilter().read_keyset(page, code)
    if await listings.find_dossier(session, right, code) is None:
        raise DossierNotFound
    after = keyset.key(*timelines.TIMELINE_KEY)
    rows = await timelines.list_timeline(session, code, after=after, limit=keyset.limit + 1)
    page_rows, next_cursor = keyset.cut(list(rows), attrgetter(*timelines.TIMELINE_ORDER))
    entries = [TimelineEntryOut.from_entry(entry) for entry in page_rows]
    return Timeline(code=code, entries=entries, next=next_cursor)


async def _build_responses(
    session: AsyncSession, rows: Sequence[NationalDossier], today: date
) -> list[NationalDossierOut]:
    codes = {
        canonical_agency_code(code)
        for row in rows
        for code in (row.helped_by, row.received_by, row.decided_by)
        if code
    }
    names = await list_agency_names(session, codes)
    return [NationalDossierOut.from_row(row, names, today) for row in rows]


async def lock_states(session: AsyncSession, codes: Collection[str]) -> dict[str, DossierState]:
    """Return the states of these dossiers, locked until the transaction ends, also if unknown."""
    await states.lock_codes(session, codes)
    return await states.read_states(session, codes)


async def list_stored_entries(
    session: AsyncSession, entries: Collection[TimelineRow]
) -> set[TimelineRow]:
    """Return the timeline rows among these that are stored already."""
    return await timelines.list_stored_entries(session, entries)


async def apply_changes(
    session: AsyncSession,
    before: Mapping[str, DossierState],
    after: Mapping[str, DossierState],
    entries: Collection[TimelineRow],
    *,
    observers: Collection[Observer],
) -> None:
    """Change the view from `before` to `after`, and notify the observers of the changes.

    `entries` are new rows of the timelines.
    """
    codes_with_entries = {entry.code for entry in entries}
    touched = [
        state
        for state in after.values()
        if state.code in codes_with_entries or state != before.get(state.code)
    ]
    times = await _find_derived_times(session, before, touched, entries)
    settled = [apply_times(state, times.get(state.code, DerivedTimes())) for state in touched]
    changed = [
        (before.get(state.code), state) for state in settled if state != before.get(state.code)
    ]
    await changes.write_changes(session, changed, entries)
    if changed:
        # Observers come last, because other writers of the same counters wait until the commit.
        for observe in observers:
            await observe(session, changed)


async def _find_derived_times(
    session: AsyncSession,
    before: Mapping[str, DossierState],
    touched: Collection[DossierState],
    entries: Collection[TimelineRow],
) -> Mapping[str, DerivedTimes]:
    """Return the derived times of the dossiers whose timeline has any influence."""
    requested = {entry.code for entry in entries if entry.status == REQUEST}
    requested |= {state.code for state in before.values() if state.requested_at}
    dated = [
        state
        for state in touched
        if state.code in requested or (state.has_ended and follows_timeline(state))
    ]
    return await timelines.compute_derived_times(session, dated, entries) if dated else {}


async def delete_unordered_entries(session: AsyncSession, entries: Collection[TimelineRow]) -> None:
    """Delete the stored rows that say the same as these, and have no version."""
    await restoring.delete_unordered_entries(session, entries)


async def restore_dossiers(
    session: AsyncSession, after: str, limit: int, *, observers: Collection[Observer]
) -> Sequence[str]:
    """Derive again all that follows from the states and timelines of a batch; return its codes.

    The batch has up to `limit` dossiers that follow the code `after`.
    """
    codes = await restoring.list_codes(session, after, limit)
    if not codes:
        return ()
    before = await lock_states(session, codes)
    times = await timelines.compute_derived_times(session, before.values(), ())
    settled = [
        apply_times(state, times.get(code, DerivedTimes())) for code, state in before.items()
    ]
    pairs = [(before[state.code], state) for state in settled]
    await changes.write_changes(session, pairs, ())
    await restoring.replace_parties(session, settled)
    for observe in observers:
        await observe(session, [(old, new) for old, new in pairs if old != new])
    return codes


async def delete_orphaned_parties(session: AsyncSession) -> None:
    """Delete the parties of dossiers that the view does not have."""
    await restoring.delete_orphaned_parties(session)


async def begin_rebuild(session: AsyncSession, projection: str, stage: str) -> RebuildProgress:
    """Return the progress of a rebuild that was interrupted, or begin one."""
    return await rebuilds.begin_rebuild(session, projection, stage)


async def advance_rebuild(
    session: AsyncSession, progress: RebuildProgress, stage: str, position: Mapping[str, Any]
) -> RebuildProgress:
    """Store the progress with the batch; raise RebuildInterfered where another process did."""
    return await rebuilds.advance_rebuild(session, progress, stage, position)


async def end_rebuild(session: AsyncSession, progress: RebuildProgress) -> None:
    """Delete the progress; raise RebuildInterfered where another process changed it."""
    await rebuilds.end_rebuild(session, progress)
