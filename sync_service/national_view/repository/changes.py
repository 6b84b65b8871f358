"""The statements that write changed dossiers, their timeline rows and their parties."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import cache
from operator import attrgetter

from sqlalchemy import Delete, Select, delete, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.agency import canonical_agency_code
from shared.codes.enums import DossierStatus
from shared.database.bulk import build_insert, build_upsert, column_arrays, get_table, unnested_rows
from sync_service.agencies.statements import build_unnamed_insert, make_unnamed_columns
from sync_service.national_view.models import NationalDossier, Party, PendingParty, TimelineEntry
from sync_service.national_view.state import Change, DossierState, TimelineRow

STATE_COLUMNS = (*DossierState.__slots__, "national_procedure", "opened_at", "deciding")
KEY_COLUMNS = ("agency", "opened_at", "code")
PARTY_COLUMNS = (*KEY_COLUMNS, "national_procedure", "channel", "deciding")


async def write_changes(
    session: AsyncSession, changes: Collection[Change], entries: Collection[TimelineRow]
) -> None:
    """Write the changed dossiers, their parties and the given rows of timelines."""
    named = {agency for _, state in changes for agency in state.list_parties()}
    given_columns = (
        column_arrays(TimelineEntry, TimelineRow._fields, entries)
        | column_arrays(NationalDossier, STATE_COLUMNS, (_make_row(state) for _, state in changes))
        | make_unnamed_columns(named)
        | await _move_parties(session, Party, changes)
        | await _move_parties(session, PendingParty, changes)
    )
    await session.execute(_build_write(), given_columns)


_read_state = attrgetter(*DossierState.__slots__)


def _make_row(state: DossierState) -> tuple[object, ...]:
    """Return the values of STATE_COLUMNS."""
    computed = (
        state.national_procedure,
        state.opened_at,
        canonical_agency_code(state.decided_by),
    )
    return *_read_state(state), *computed


async def _move_parties(
    session: AsyncSession,
    party: type[Party | PendingParty],
    pairs: Iterable[Change],
) -> dict[str, Sequence[object]]:
    """Delete the parties that no longer take part; return the parameters of those to add."""
    rows = list_party_rows if party is Party else list_pending_rows
    moved = [
        (old, new)
        for old, new in pairs
        if old is None or _list_party_fields(old) != _list_party_fields(new)
    ]
    current = {row for _, new in moved for row in rows(new)}
    previous = {row for old, _ in moved if old for row in rows(old)}
    if gone := previous - current:
        places = [row[: len(KEY_COLUMNS)] for row in gone]
        await session.execute(_build_party_delete(party), column_arrays(party, KEY_COLUMNS, places))
    return column_arrays(party, PARTY_COLUMNS, sorted(current - previous))


def _is_pending(state: DossierState) -> bool:
    return state.status != DossierStatus.RETURNED


_read_party_fields = attrgetter(
    "opened_at", "helped_by", "received_by", "decided_by", "national_procedure", "channel"
)


def _list_party_fields(state: DossierState) -> tuple[object, ...]:
    return *_read_party_fields(state), _is_pending(state)


def list_party_rows(state: DossierState) -> list[tuple[str, datetime, str, str, int, str]]:
    """Return the values of PARTY_COLUMNS."""
    deciding = canonical_agency_code(state.decided_by)
    values = state.code, state.national_procedure, state.channel, deciding
    return [(agency, state.opened_at, *values) for agency in state.list_parties()]


def list_pending_rows(state: DossierState) -> list[tuple[str, datetime, str, str, int, str]]:
    """Return the values of PARTY_COLUMNS for a dossier whose result is not returned."""
    return list_party_rows(state) if _is_pending(state) else []


@cache
def _build_party_delete(party: type[Party | PendingParty]) -> Delete:
    stored, gone = get_table(party).c, unnested_rows(party, *KEY_COLUMNS)
    return delete(get_table(party)).where(*(stored[name] == gone.c[name] for name in KEY_COLUMNS))


@cache
def _build_write() -> Select[int]:
    """Return one statement for everything but the counters.

    An agency that a dossier names before the registry publishes it gets a row without a name.
    """
    parts = {
        "timeline_rows": build_insert(TimelineEntry, *TimelineRow._fields).on_conflict_do_nothing(),
        "states": build_upsert(NationalDossier, "code", *STATE_COLUMNS),
        "parties": build_insert(Party, *PARTY_COLUMNS).on_conflict_do_nothing(),
        "pending_parties": build_insert(PendingParty, *PARTY_COLUMNS).on_conflict_do_nothing(),
        "agencies": build_unnamed_insert(),
    }
    return select(literal(1)).add_cte(*(part.cte(name) for name, part in parts.items()))
