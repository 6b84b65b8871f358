"""The dependencies of every route: the clock and the transaction."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.time import utc_now
from shared.database.session import SessionFactory


async def read_now() -> datetime:
    return utc_now()


Now = Annotated[datetime, Depends(read_now)]


async def _open_request_session(request: Request) -> AsyncIterator[AsyncSession]:
    sessions: SessionFactory = request.app.state.sessions
    async with sessions.begin() as session:
        yield session


# "function" scope commits before the response leaves; the default would answer 201 first.
Session = Annotated[AsyncSession, Depends(_open_request_session, scope="function")]
