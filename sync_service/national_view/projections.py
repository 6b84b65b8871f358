"""Project our own dossiers into the national view, from the events of dossier_service."""

from collections.abc import Collection, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.time import utc_now
from shared.events import DossierEvent, DossierMoved, DossierProgressed, FeePaid, ResultIssued
from sync_service.national_view import use_cases
from sync_service.national_view.state import OWN, TimelineRow, from_event, supersedes
from sync_service.national_view.use_cases import Observer, apply_changes, lock_states


async def project_dossiers(
    session: AsyncSession, events: Sequence[DossierEvent], *, observers: Collection[Observer]
) -> None:
    """Apply events of our own dossiers.

    A late event still adds its timeline row, but only the newest event sets the state.
    """
    codes = {event.code for event in events}
    before = await lock_states(session, codes)
    after, now = dict(before), utc_now()
    for event in events:
        update = from_event(event, now)
        if supersedes(after.get(event.code), update):
            after[event.code] = update
    entries = [_make_entry(event) for event in events]
    await apply_changes(session, before, after, entries, observers=observers)


async def rebuild_dossiers(
    session: AsyncSession, events: Sequence[DossierEvent], *, observers: Collection[Observer]
) -> int:
    """Apply retained events again, whether or not they were applied; return how many were refused.

    An event replaces a state of its own version too, which an earlier build may have made.
    """
    codes = {event.code for event in events}
    before = await lock_states(session, codes)
    after, now, entries = dict(before), utc_now(), list[TimelineRow]()
    for event in events:
        try:
            update = from_event(event, now)
        except ValueError:
            continue
        current = after.get(event.code)
        if supersedes(current, update) or (current and current.version == update.version):
            after[event.code] = update
        entries.append(_make_entry(event))
    await use_cases.delete_unordered_entries(session, entries)
    await apply_changes(session, before, after, entries, observers=observers)
    return len(events) - len(entries)


def _make_entry(event: DossierEvent) -> TimelineRow:
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
    return TimelineRow(event.code, event.at, kind, event.status, detail, OWN, event.version, 0)
