"""Writes a new dossier with all that belongs to it in one statement."""

from collections.abc import Iterable, Sequence
from datetime import date

import orjson
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.models import (
    Agency,
    Base,
    Dossier,
    DossierApplicant,
    DossierDocument,
    DossierFee,
    DossierParty,
    DossierSerial,
    DossierStep,
)

_TABLES = tuple(
    table.__tablename__
    for table in (
        Dossier,
        DossierApplicant,
        DossierDocument,
        DossierFee,
        DossierParty,
        DossierStep,
    )
)
# The rows travel as JSON: one statement of one shape, however many papers and agencies there are,
# which the database plans once.
_ONE_TABLE = (
    "new_{0} AS (INSERT INTO {0}"
    " SELECT * FROM jsonb_populate_recordset(NULL::{0}, CAST(:{0} AS jsonb)))"
)
_INSERT = text(f"WITH {', '.join(map(_ONE_TABLE.format, _TABLES))} SELECT 1")


async def insert_rows(session: AsyncSession, rows: Iterable[Base]) -> None:
    """Rows of the dossier and of its tables, each with every column of its own set."""
    by_table: dict[str, list[dict[str, object]]] = {table: [] for table in _TABLES}
    for row in rows:
        columns = row.__table__.columns.keys()
        by_table[row.__tablename__].append({name: getattr(row, name) for name in columns})
    await session.execute(
        _INSERT, {table: orjson.dumps(found).decode() for table, found in by_table.items()}
    )


async def next_serial(session: AsyncSession, agency: str, day: date) -> int:
    """Without gaps; until this transaction ends, the agency's next filing waits here."""
    change = insert(DossierSerial).values(agency=agency, day=day, serial=1)
    counted = change.on_conflict_do_update(
        index_elements=["agency", "day"], set_={"serial": DossierSerial.serial + 1}
    ).returning(DossierSerial.serial)
    return (await session.execute(counted)).scalar_one()


async def get_agencies(session: AsyncSession, codes: Sequence[str]) -> dict[str, Agency]:
    found = await session.scalars(select(Agency).where(Agency.code.in_(codes)))
    return {agency.code: agency for agency in found}


async def knows_agencies(session: AsyncSession) -> bool:
    """False as long as the registry has told of none."""
    return await session.scalar(select(Agency.code).limit(1)) is not None
