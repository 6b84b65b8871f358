"""Read settings and run coroutines for one invocation of a service's command line."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import uvloop
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import open_database
from shared.settings import ServiceSettings
from shared.web.problems import Problem

ReturnType = TypeVar("ReturnType")
SettingsType = TypeVar("SettingsType", bound=ServiceSettings)


def read_settings(service: str, settings_class: type[SettingsType]) -> SettingsType:
    """Return the settings of the environment; exit if some are missing or invalid."""
    try:
        return settings_class.read()
    except ValidationError as error:
        lacking = ", ".join(str(e["loc"][0]).upper() for e in error.errors())
        sys.exit(f"{service}: these settings are missing or wrong: {lacking} (see .env.example)")


def run_async(main: Callable[[], Awaitable[ReturnType]]) -> ReturnType:
    async def run_main() -> ReturnType:
        return await main()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run_main())


def run_in_session(
    settings: ServiceSettings,
    act: Callable[[AsyncSession], Awaitable[Any]],
    *,
    reads_every_row: bool = False,
) -> Any:
    """Run `act` in one transaction; exit with the title of a raised `Problem`."""

    async def run_act() -> Any:
        async with (
            open_database(settings, reads_every_row=reads_every_row) as sessions,
            sessions.begin() as session,
        ):
            return await act(session)

    try:
        return run_async(run_act)
    except Problem as problem:
        sys.exit(problem.title)
