"""Seed an installation with agencies, and a sandbox also with clients and people."""

import structlog

from identity_service.agencies.use_cases import seed_agencies
from identity_service.sandbox.seed import seed_sandbox
from identity_service.settings import Settings
from shared.codes.time import utc_now
from shared.database.engine import open_database

log = structlog.get_logger()


async def seed(settings: Settings) -> None:
    """Add the missing rows and leave existing ones unchanged; a repetition changes nothing."""
    now = utc_now()
    async with open_database(settings) as sessions:
        async with sessions.begin() as session:
            added = await seed_agencies(session, now=now)
            log.info("agencies_seeded", added=added)
        if settings.sandbox:
            await seed_sandbox(sessions, settings, now=now)
