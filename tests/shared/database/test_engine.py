"""The limits of a connection suit the command that opens it."""

import pytest

from shared.database import engine
from shared.database.engine import open_database
from shared.settings import ServiceSettings
from tests.shared.event_flow import scalar

IDLE_LIMIT = """SELECT setting::int / 1000 FROM pg_settings
    WHERE name = 'idle_in_transaction_session_timeout'"""


@pytest.mark.parametrize("reads_every_row", [False, True])
async def test_command_that_reads_every_row_may_compute_between_its_statements(
    settings: ServiceSettings, *, reads_every_row: bool
) -> None:
    limit = engine.EVERY_ROW_S if reads_every_row else engine.IDLE_S
    async with open_database(settings, reads_every_row=reads_every_row) as sessions:
        assert await scalar(sessions, IDLE_LIMIT) == limit
