"""Read and lock the states of dossiers for a change."""

from collections.abc import Collection, Sequence
from typing import Final
from zlib import crc32

from sqlalchemy import (
    ARRAY,
    Integer,
    String,
    any_,
    bindparam,
    case,
    column,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.bulk import get_table
from shared.database.coverage import canonical_procedure
from shared.database.locks import NATIONAL_STRIPE
from sync_service.national_view.models import LACKS_TERM, NationalDossier
from sync_service.national_view.state import DossierState

STRIPES = 256

_STATES = select(*(get_table(NationalDossier).c[name] for name in DossierState.__slots__)).where(
    NationalDossier.code == any_(bindparam("codes", type_=ARRAY(String)))
)


async def read_states(session: AsyncSession, codes: Collection[str]) -> dict[str, DossierState]:
    rows = await session.execute(_STATES, {"codes": sorted(codes)})
    return {row.code: DossierState(*row) for row in rows}


async def lock_codes(session: AsyncSession, codes: Collection[str]) -> None:
    """Lock these dossiers, known or not, against other writers until the transaction ends."""
    # A missing row cannot be locked, so the lock is on a stripe of codes.
    stripes = sorted({crc32(code.encode()) % STRIPES for code in codes})
    await session.execute(_LOCK, {"stripes": stripes})


async def list_codes_without_term(session: AsyncSession, limit: int) -> Sequence[str]:
    """Return dossiers that lack a term and whose procedure has one by now."""
    return (await session.scalars(_WITHOUT_TERM, {"batch_size": limit})).all()


_LOCK = text(
    f"SELECT count(pg_advisory_xact_lock({NATIONAL_STRIPE}, stripe))"  # noqa: S608 -- our own constant
    " FROM unnest(CAST(:stripes AS integer[])) AS stripe"
)


# A localised procedure comes before its national one, as in `list_procedure_terms`. Dossiers older
# than the column `term_ends_at` have its value, without the waits, in `latest_at`.
_PROCEDURE = table("procedure", column("code", String), column("term_duration", Integer))
_OWN, _NATIONAL = _PROCEDURE.alias("own"), _PROCEDURE.alias("national")
_TERM = case((_OWN.c.code.is_(None), _NATIONAL.c.term_duration), else_=_OWN.c.term_duration)
_WITHOUT_TERM: Final = (
    select(NationalDossier.code)
    .outerjoin(_OWN, _OWN.c.code == canonical_procedure(NationalDossier.procedure))
    .outerjoin(_NATIONAL, _NATIONAL.c.code == NationalDossier.national_procedure)
    .where(text(LACKS_TERM), or_(NationalDossier.latest_at.is_not(None), _TERM > 0))
    .order_by(NationalDossier.code)
    .limit(bindparam("batch_size", type_=Integer, literal_execute=True))
)
