"""Apply the events of procedures; ignore older versions."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.purposes.models import KnownProcedure
from shared.codes.procedure import parse_procedure_code
from shared.database.bulk import upsert_if_newer
from shared.events import ProcedurePublished


async def upsert_published_procedures(
    session: AsyncSession, events: Sequence[ProcedurePublished]
) -> None:
    """Store the newest version of each procedure; raise CodeError where a code is malformed.

    The same version may be published again, with the size of the catalogue that it lacked before.
    """
    rows = [event.model_dump() | {"code": parse_procedure_code(event.code)} for event in events]
    await upsert_if_newer(
        session, KnownProcedure, "code", rows, or_same=True, keep_greatest="catalogue_size"
    )
