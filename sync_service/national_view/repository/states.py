"""Read and lock the states of dossiers for a change."""

from collections.abc import Collection, Sequence
from typing import Final
from zlib import crc32

from sqlalchemy import ARRAY, Integer, String, any_, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.bulk import get_table
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


# `1.001193.000.00.04.H26` -> `1.001193.H26.04`, as `shared.codes.procedure` does: a row keeps the
# code as its system wrote it, and the catalogue has the canonical one.
_CANONICAL_PROCEDURE: Final = r"""CASE WHEN dossier.procedure ~ '^.{9}[0-9]'
        THEN left(dossier.procedure, 9) || regexp_replace(concat_ws('.',
            split_part(dossier.procedure, '.', 6), split_part(dossier.procedure, '.', 5),
            split_part(dossier.procedure, '.', 4), split_part(dossier.procedure, '.', 3)),
            '([.]0+)+$', '')
        ELSE dossier.procedure END"""

# A localised procedure comes before its national one, as in `list_procedure_terms`. Dossiers older
# than the column `term_ends_at` have its value, without the waits, in `latest_at`.
_WITHOUT_TERM: Final = text(
    f"""
    SELECT dossier.code FROM national_dossier AS dossier
        LEFT JOIN procedure AS own ON own.code = {_CANONICAL_PROCEDURE}
        LEFT JOIN procedure AS national ON national.code = dossier.national_procedure
    WHERE {LACKS_TERM} AND (latest_at IS NOT NULL
        OR CASE WHEN own.code IS NULL THEN national.term_duration ELSE own.term_duration END > 0)
    ORDER BY dossier.code LIMIT :batch_size
    """  # noqa: S608 -- only constants of the code are put in
).bindparams(bindparam("batch_size", type_=Integer, literal_execute=True))
