"""Apply the events of procedures; ignore older versions."""

from collections.abc import Sequence

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.purposes.models import KnownProcedure
from shared.codes.procedure import parse_procedure_code
from shared.events import ProcedurePublished


async def upsert_published_procedures(
    session: AsyncSession, events: Sequence[ProcedurePublished]
) -> None:
    """Store the newest version of each procedure; raise CodeError where a code is malformed.

    The same version may be published again, with the size of the catalogue that it lacked before.
    """
    newest: dict[str, ProcedurePublished] = {}
    for event in sorted(events, key=lambda event: (event.version, event.catalogue_size or 0)):
        newest[parse_procedure_code(event.code)] = event
    rows = [newest[code].model_dump(include=_PROCEDURE_COLUMNS) for code in sorted(newest)]
    statement = insert(KnownProcedure).values(rows)
    stored, new = KnownProcedure.__table__.c, statement.excluded
    changes = {
        "version": new.version,
        "active": new.active,
        "catalogue_size": func.greatest(stored.catalogue_size, new.catalogue_size),
    }
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["code"], set_=changes, where=stored.version <= new.version
        )
    )


_PROCEDURE_COLUMNS = set(KnownProcedure.__table__.columns.keys())
