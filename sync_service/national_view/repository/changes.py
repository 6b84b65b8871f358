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
from sync_service.agencies.statements import insert_unnamed, unnamed_columns
from sync_service.national_view.models import NationalDossier, Party, PendingParty, TimelineEntry
from sync_service.national_view.state import Change, Entry, Standing

STANDING = (*Standing.__slots__, "national_procedure", "opened_at", "deciding")
PLACE = ("agency", "opened_at", "code")
PARTY = (*PLACE, "national_procedure", "channel", "deciding")


async def write_changes(
    session: AsyncSession, changes: Collection[Change], entries: Collection[Entry]
) -> None:
    """Write the changed dossiers, their parties and the given rows of timelines."""
    named = {agency for _, each in changes for agency in each.parties()}
    given_columns = (
        column_arrays(TimelineEntry, Entry._fields, entries)
        | column_arrays(NationalDossier, STANDING, (_row(each) for _, each in changes))
        | unnamed_columns(named)
        | await _place_parties(session, Party, changes)
        | await _place_parties(session, PendingParty, changes)
    )
    await session.execute(_writing(), given_columns)


_told = attrgetter(*Standing.__slots__)


def _row(standing: Standing) -> tuple[object, ...]:
    """Return the values of STANDING."""
    made = (
        standing.national_procedure,
        standing.opened_at,
        canonical_agency_code(standing.decided_by),
    )
    return *_told(standing), *made


async def _place_parties(
    session: AsyncSession,
    party: type[Party | PendingParty],
    pairs: Iterable[Change],
) -> dict[str, Sequence[object]]:
    """Delete the parties that no longer take part; return the parameters of those to add."""
    rows = _party_rows if party is Party else _pending_rows
    moved = [(old, new) for old, new in pairs if old is None or _place(old) != _place(new)]
    come = {row for _, new in moved for row in rows(new)}
    stood = {row for old, _ in moved if old for row in rows(old)}
    if left := stood - come:
        places = [row[: len(PLACE)] for row in left]
        await session.execute(_leaving(party), column_arrays(party, PLACE, places))
    return column_arrays(party, PARTY, sorted(come - stood))


def _is_pending(standing: Standing) -> bool:
    return standing.status != DossierStatus.RETURNED


_told_place = attrgetter(
    "opened_at", "helped_by", "received_by", "decided_by", "national_procedure", "channel"
)


def _place(standing: Standing) -> tuple[object, ...]:
    return *_told_place(standing), _is_pending(standing)


def _party_rows(standing: Standing) -> list[tuple[str, datetime, str, str, int, str]]:
    """Return the values of PARTY."""
    deciding = canonical_agency_code(standing.decided_by)
    told = standing.code, standing.national_procedure, standing.channel, deciding
    return [(agency, standing.opened_at, *told) for agency in standing.parties()]


def _pending_rows(standing: Standing) -> list[tuple[str, datetime, str, str, int, str]]:
    return _party_rows(standing) if _is_pending(standing) else []


@cache
def _leaving(party: type[Party | PendingParty]) -> Delete:
    there, left = get_table(party).c, unnested_rows(party, *PLACE)
    return delete(get_table(party)).where(*(there[name] == left.c[name] for name in PLACE))


@cache
def _writing() -> Select[int]:
    """Return one statement for everything but the counters.

    An agency that a dossier names before the registry publishes it gets a row without a name.
    """
    parts = {
        "line": build_insert(TimelineEntry, *Entry._fields).on_conflict_do_nothing(),
        "stand": build_upsert(NationalDossier, "code", *STANDING),
        "place": build_insert(Party, *PARTY).on_conflict_do_nothing(),
        "pending": build_insert(PendingParty, *PARTY).on_conflict_do_nothing(),
        "name": insert_unnamed(),
    }
    return select(literal(1)).add_cte(*(part.cte(name) for name, part in parts.items()))
