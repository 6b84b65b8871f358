"""Apply the events of other services to the tables of the gateway; ignore older versions."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.access.models import ClientInForce, GrantInForce
from gateway.agencies.models import KnownAgency
from gateway.database import Base
from gateway.purposes.models import KnownProcedure
from shared.codes.procedure import parse_procedure_code
from shared.events import AgencyChanged, ClientChanged, GrantChanged, ProcedurePublished


async def keep_grants(session: AsyncSession, events: Sequence[GrantChanged]) -> None:
    await upsert_newer(session, GrantInForce, "grant_id", [event.model_dump() for event in events])


async def keep_clients(session: AsyncSession, events: Sequence[ClientChanged]) -> None:
    await upsert_newer(
        session, ClientInForce, "client_id", [event.model_dump() for event in events]
    )


async def keep_agencies(session: AsyncSession, events: Sequence[AgencyChanged]) -> None:
    await upsert_newer(session, KnownAgency, "code", [event.model_dump() for event in events])


async def keep_procedures(session: AsyncSession, events: Sequence[ProcedurePublished]) -> None:
    """Store the newest version of each procedure; raise CodeError where a code is malformed.

    The same version may come again, with the size of the catalogue that it lacked before.
    """
    newest: dict[str, ProcedurePublished] = {}
    for event in sorted(events, key=lambda each: (each.version, each.catalogue_size or 0)):
        newest[parse_procedure_code(event.code)] = event
    rows = [newest[code].model_dump(include=_PROCEDURE_COLUMNS) for code in sorted(newest)]
    statement = insert(KnownProcedure).values(rows)
    kept, new = KnownProcedure.__table__.c, statement.excluded
    changes = {
        "version": new.version,
        "active": new.active,
        "catalogue_size": func.greatest(kept.catalogue_size, new.catalogue_size),
    }
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["code"], set_=changes, where=kept.version <= new.version
        )
    )


_PROCEDURE_COLUMNS = set(KnownProcedure.__table__.columns.keys())


async def upsert_newer(
    session: AsyncSession, model: type[Base], key: str, told: Sequence[Mapping[str, Any]]
) -> None:
    """The newest of each key in one statement, where it is newer than the row."""
    names = [column.name for column in model.__table__.columns]
    by_version = sorted(told, key=lambda fact: fact["version"])
    newest = {fact[key]: {name: fact[name] for name in names} for fact in by_version}
    # In one order everywhere, so that two batches cannot deadlock.
    statement = insert(model).values([newest[each] for each in sorted(newest)])
    new = {name: statement.excluded[name] for name in names if name != key}
    older = model.__table__.c.version < statement.excluded.version
    await session.execute(
        statement.on_conflict_do_update(index_elements=[key], set_=new, where=older)
    )
