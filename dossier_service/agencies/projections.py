from collections.abc import Sequence

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.agencies.models import Agency
from shared.codes.coverage import canonical_code, rank_version
from shared.events import AgencyChanged


async def upsert_agencies(session: AsyncSession, events: Sequence[AgencyChanged]) -> None:
    newest: dict[str, tuple[int, AgencyChanged]] = {}
    for event in events:
        code, rank = canonical_code(event.code), rank_version(event.code, event.version)
        if code not in newest or newest[code][0] < rank:
            newest[code] = rank, event
    # All batches write in one order, so that two of them cannot deadlock.
    rows = [
        event.model_dump(include={"name", "valid_from", "valid_to", "successor"})
        | {"code": code, "version": rank}
        for code, (rank, event) in sorted(newest.items())
    ]
    change = insert(Agency)
    columns = {c.name: c for c in change.excluded if c.name != "code"}
    upsert = change.on_conflict_do_update(
        index_elements=["code"], set_=columns, where=Agency.version < change.excluded.version
    )
    await session.execute(upsert, rows)
