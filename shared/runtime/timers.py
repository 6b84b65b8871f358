"""Periodic work; one of all replicas runs it when it is due."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Protocol

from sqlalchemy import DateTime, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from shared.codes.time import utc_now
from shared.database.errors import retry_during_outage
from shared.database.session import Base, SessionFactory

TimerAct = Callable[[AsyncSession], Awaitable[bool | None]]


class ActAtTime(Protocol):
    """An act that reads no clock, so that a test can run it at any time."""

    def __call__(self, session: AsyncSession, /, *, now: datetime) -> Awaitable[bool | None]: ...


def pass_now(act: ActAtTime) -> TimerAct:
    """Return the act of a timer, which calls `act` with the present time and has its name."""

    @wraps(act)
    async def act_now(session: AsyncSession) -> bool | None:
        return await act(session, now=utc_now())

    return act_now


@dataclass(frozen=True)
class Timer:
    """An act that runs every `seconds`, in a transaction of its own.

    With `once_anywhere` one of all replicas runs it when it is due; a measurement runs in each. An
    act that returns True has work left, and runs again at once in another transaction.
    """

    seconds: float
    act: TimerAct
    once_anywhere: bool = True


class TimerRun(Base):
    """The last run of a timer in any replica."""

    __tablename__ = "timer"

    name: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


async def repeat_timer(sessions: SessionFactory, timer: Timer) -> None:
    while True:
        await run_timer(sessions, timer)
        await asyncio.sleep(timer.seconds)


@retry_during_outage
async def run_timer(sessions: SessionFactory, timer: Timer) -> None:
    async with sessions.begin() as session:
        if timer.once_anywhere and not await _claim_run(session, timer):
            return
        is_unfinished = await timer.act(session)
    while is_unfinished:
        async with sessions.begin() as session:
            is_unfinished = await timer.act(session)


async def _claim_run(session: AsyncSession, timer: Timer) -> bool:
    """Return False if any replica ran the timer less than its seconds ago."""
    name = f"{timer.act.__module__}.{timer.act.__qualname__}"
    claim = insert(TimerRun).values(name=name, at=func.now())
    due = TimerRun.at <= func.now() - func.make_interval(0, 0, 0, 0, 0, 0, timer.seconds)
    renewed = claim.on_conflict_do_update(
        index_elements=["name"], set_={"at": func.now()}, where=due
    )
    return await session.scalar(renewed.returning(TimerRun.name)) is not None
