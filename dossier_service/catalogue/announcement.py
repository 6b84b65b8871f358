"""Announces every procedure in force: `python -m dossier_service.catalogue.announcement`.

For a service that begins to read the catalogue when the broker no longer has its events. To hear
of a procedure again changes nothing.
"""

import asyncio

from dossier_service.catalogue.use_cases import announce_all
from dossier_service.settings import Settings
from shared.database.session import open_database


async def announce(settings: Settings) -> int:
    async with open_database(settings) as sessions, sessions.begin() as session:
        return await announce_all(session)


if __name__ == "__main__":
    print(f"{asyncio.run(announce(Settings.read()))} procedures announced")  # noqa: T201 -- its purpose
