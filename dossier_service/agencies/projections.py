from collections.abc import Sequence

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.agencies.models import Agency
from shared.codes.coverage import canonical_code
from shared.events import AgencyChanged


async def upsert_agencies(session: AsyncSession, events: Sequence[AgencyChanged]) -> None:
    newest: dict[str, AgencyChanged] = {}
    for event in events:
        code = canonical_code(event.code)
        if code not in newest or newest[code].version < event.version:
            newest[code] = event
    # All batches write in one order, so that two of them cannot deadlock.
    rows = [
        event.model_dump(include={"version", "name", "valid_from", "valid_to", "successor"})
        | {"code": code}
        for code, event in sorted(newest.items())
    ]
    change = insert(Agency)
    columns = {c.name: c for c in change.excluded if c.name != "code"}
    upsert = change.on_conflict_do_update(
        index_elements=["code"], set_=columns, where=Agency.version < change.excluded.version
    )
    await session.execute(upsert, rows)
