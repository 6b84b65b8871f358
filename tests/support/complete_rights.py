"""What the worker of a gateway notes when it knows all rights."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.events import GrantChanged
from shared.messaging.topics import list_partitions

_HEARD = text(
    "INSERT INTO heard VALUES (:topic, :partition, now())"
    " ON CONFLICT (topic, partition) DO UPDATE SET at = excluded.at"
)
_COMPARED = text("INSERT INTO rights_comparison (at) VALUES (now()) ON CONFLICT DO NOTHING")
_ALL_HEARD = [each._asdict() for each in list_partitions([GrantChanged.topic])]


async def note_rights_complete(session: AsyncSession) -> None:
    """Note that the worker has consumed all grants up to now, and compared them with identity."""
    await session.execute(_HEARD, _ALL_HEARD)
    await session.execute(_COMPARED)
