"""Announces every procedure in force: `python -m dossier_service.announce_catalogue`.

For a service that begins to read the catalogue when the broker no longer has its events. To hear
of a procedure again changes nothing.
"""

import asyncio

from dossier_service.settings import Settings
from dossier_service.use_cases.catalogue import announce_all
from shared.database.session import open_database


async def announce(settings: Settings) -> int:
    async with open_database(settings) as sessions, sessions.begin() as session:
        return await announce_all(session)


if __name__ == "__main__":
    print(f"{asyncio.run(announce(Settings.read()))} procedures announced")  # noqa: T201 -- its purpose
