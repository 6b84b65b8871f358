"""Write a new dossier with all that belongs to it."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.database import Base
from dossier_service.dossiers.models import (
    Dossier,
    DossierApplicant,
    DossierDocument,
    DossierFee,
    DossierParty,
    DossierStep,
)
from shared.database.deferred import defer_write

# The rows to be written, by table; each row has every column.
Rows = Mapping[type[Base], Sequence[Mapping[str, Any]]]

_TABLES = (
    Dossier,
    DossierApplicant,
    DossierDocument,
    DossierFee,
    DossierParty,
    DossierStep,
)
# The rows travel as JSON: statements of one shape, however many papers and agencies there are,
# which the database plans once.
_INSERT = (
    "INSERT INTO {0} SELECT made.* FROM unnest(CAST(:{0} AS text[])) AS part,"
    " jsonb_populate_recordset(NULL::{0}, CAST(part AS jsonb)) AS made"
)
_INSERTS = {table: _INSERT.format(table.__tablename__) for table in _TABLES}

# A filing that waits for the row holds a connection that filings at other agencies could use. Those
# before it take less than this; a longer wait is for a process that stands still.
MAX_SERIAL_WAIT_S = 3
_NEXT = text(
    "INSERT INTO dossier_serial AS last (agency, day, serial)"
    " SELECT CAST(:agency AS varchar), CAST(:day AS date), 1"
    " FROM set_config('lock_timeout', :wait, true)"
    " ON CONFLICT (agency, day) DO UPDATE SET serial = last.serial + 1 RETURNING serial"
)


def defer_row_inserts(session: AsyncSession, rows: Rows) -> None:
    """Defer the rows of one dossier, or of one step of it, to the end of the transaction."""
    for table, statement in _INSERTS.items():
        if table_rows := rows.get(table):
            name = table.__tablename__
            defer_write(session, statement, {name: [orjson.dumps(table_rows).decode()]})


def make_row(entity: Base) -> dict[str, Any]:
    return {name: getattr(entity, name) for name in entity.__table__.columns.keys()}  # noqa: SIM118 -- of columns, not a dict


async def take_next_serial(session: AsyncSession, agency: str, day: date) -> int:
    """Return the next serial, without gaps; the agency's next filing waits for this transaction.

    `agency` has the form of QĐ 20, so that both written forms of a code share its serials.
    A wait of more than `MAX_SERIAL_WAIT_S` is an outage, and the caller is asked to try again.
    """
    wait = f"{MAX_SERIAL_WAIT_S}s"
    values = {"agency": agency, "day": day, "wait": wait}
    serial: int = await session.scalar(_NEXT, values)
    return serial
