"""Writes a new dossier with all that belongs to it in one statement."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import orjson
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.models import (
    Base,
    Dossier,
    DossierApplicant,
    DossierDocument,
    DossierFee,
    DossierParty,
    DossierSerial,
    DossierStep,
)

# What is to be written: for each table its rows, each with every column of its own.
Rows = Mapping[type[Base], Sequence[Mapping[str, Any]]]

_TABLES = (
    Dossier,
    DossierApplicant,
    DossierDocument,
    DossierFee,
    DossierParty,
    DossierStep,
)
# The rows travel as JSON: one statement of one shape, however many papers and agencies there are,
# which the database plans once.
_ONE_TABLE = (
    "new_{0} AS (INSERT INTO {0}"
    " SELECT * FROM jsonb_populate_recordset(NULL::{0}, CAST(:{0} AS jsonb)))"
)
_NAMES = [table.__tablename__ for table in _TABLES]
_INSERT = text(f"WITH {', '.join(map(_ONE_TABLE.format, _NAMES))} SELECT 1")

_FIRST = insert(DossierSerial).values(agency=bindparam("agency"), day=bindparam("day"), serial=1)
_NEXT = _FIRST.on_conflict_do_update(
    index_elements=["agency", "day"], set_={"serial": DossierSerial.serial + 1}
).returning(DossierSerial.serial)


async def insert_dossier(session: AsyncSession, rows: Rows) -> None:
    await session.execute(
        _INSERT,
        {table.__tablename__: orjson.dumps(rows.get(table, ())).decode() for table in _TABLES},
    )


def row_of(entity: Base) -> dict[str, Any]:
    return {name: getattr(entity, name) for name in entity.__table__.columns.keys()}  # noqa: SIM118 -- of columns, not a dict


async def next_serial(session: AsyncSession, agency: str, day: date) -> int:
    """Without gaps; until this transaction ends, the agency's next filing waits here."""
    return (await session.execute(_NEXT, {"agency": agency, "day": day})).scalar_one()
