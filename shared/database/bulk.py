"""Change many rows in few statements."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase

SLICE_ROWS = 10_000


async def delete_in_slices(session: AsyncSession, table: type[DeclarativeBase], where: str) -> None:
    """All rows that match, in statements that each stay far below `STATEMENT_SECONDS`."""
    name = table.__tablename__
    statement = text(
        f"DELETE FROM {name} WHERE ctid ="  # noqa: S608 -- both texts are of this code
        f" ANY(ARRAY(SELECT ctid FROM {name} WHERE {where} LIMIT {SLICE_ROWS}))"
    )
    connection = await session.connection()
    while (await connection.execute(statement)).rowcount == SLICE_ROWS:
        pass
