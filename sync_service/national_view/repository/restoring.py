"""The statements of a rebuild, which derives rows again from other rows."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Final

from sqlalchemy import Delete, delete, select, text
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.bulk import build_insert, column_arrays, get_table, unnested_rows
from sync_service.database import any_text
from sync_service.national_view.models import NationalDossier, Party, PendingParty
from sync_service.national_view.repository import changes
from sync_service.national_view.state import DossierState, TimelineRow


async def list_codes(session: AsyncSession, after: str, limit: int) -> Sequence[str]:
    """Return the codes of up to `limit` dossiers that follow `after`, in order."""
    query = select(NationalDossier.code).where(NationalDossier.code > after)
    return (await session.scalars(query.order_by(NationalDossier.code).limit(limit))).all()


async def replace_parties(session: AsyncSession, states: Collection[DossierState]) -> None:
    """Replace the stored parties of the dossiers by those that are derived from their states."""
    codes = [state.code for state in states]
    for party, rows in (
        (Party, changes.list_party_rows),
        (PendingParty, changes.list_pending_rows),
    ):
        expected = sorted(row for state in states for row in rows(state))
        columns = column_arrays(party, changes.PARTY_COLUMNS, expected)
        place = get_table(party).c.code
        await session.execute(_build_excess_delete(party).where(place == any_text(codes)), columns)
        await session.execute(_build_party_insert(party), columns)


@cache
def _build_excess_delete(party: type[Party | PendingParty]) -> Delete:
    stored = get_table(party).c
    expected = unnested_rows(party, *changes.PARTY_COLUMNS)
    same = (stored[name] == expected.c[name] for name in changes.PARTY_COLUMNS)
    return delete(get_table(party)).where(~select(expected.c.code).where(*same).exists())


@cache
def _build_party_insert(party: type[Party | PendingParty]) -> Insert:
    return build_insert(party, *changes.PARTY_COLUMNS).on_conflict_do_nothing()


async def delete_orphaned_parties(session: AsyncSession) -> None:
    """Delete the parties of dossiers that the view does not have."""
    for statement in _DELETE_ORPHANS:
        await session.execute(statement)


_DELETE_ORPHANS: Final = tuple(
    text(
        f"DELETE FROM {party.__tablename__} AS party WHERE NOT EXISTS"  # noqa: S608 -- our table
        " (SELECT FROM national_dossier AS dossier WHERE dossier.code = party.code)"
    )
    for party in (Party, PendingParty)
)


async def delete_unordered_entries(session: AsyncSession, entries: Collection[TimelineRow]) -> None:
    """Delete the rows without a version that say the same as these, which have one.

    Events that were applied before timelines had an order left such rows.
    """
    columns = {
        name: [getattr(entry, name) for entry in entries if entry.version]
        for name in ("code", "at", "kind", "status", "detail", "source")
    }
    await session.execute(_DELETE_UNORDERED, columns)


_DELETE_UNORDERED: Final = text(
    """
    DELETE FROM dossier_event AS line USING unnest(
        CAST(:code AS varchar[]), CAST(:at AS timestamptz[]), CAST(:kind AS varchar[]),
        CAST(:status AS smallint[]), CAST(:detail AS varchar[]), CAST(:source AS varchar[]))
        AS ordered (code, at, kind, status, detail, source)
    WHERE line.version = 0 AND line.code = ordered.code AND line.at = ordered.at
        AND line.kind = ordered.kind AND line.status = ordered.status
        AND line.detail = ordered.detail AND line.source = ordered.source
    """
)
