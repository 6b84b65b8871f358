"""All statements that change counters lock the cells in one order."""

import random
from collections.abc import Awaitable, Callable
from datetime import date, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from sync_service.indicators.counters import Cell, Dimensions
from sync_service.indicators.repository import counters
from sync_service.national_view.handling import Handling
from tests.sync_service.national import National

# PostgreSQL stores the new rows of an empty table in the order in which it locks them.
LOCKED = "SELECT tally::text FROM tally ORDER BY ctid"
ORDERED = (
    "SELECT tally::text FROM tally"
    " ORDER BY agency, part, grain, procedure, received_on, channel, outcome, due_on"
)
AGENCIES = ["H41.101", "H41.2", "H41", "G15.02", "000.00.02.G15"]
PROCEDURES = ["1.001193", "1.001193.H41", "10.000815", ""]
CELLS = 200

Add = Callable[[AsyncSession], Awaitable[None]]


def some_days(chance: random.Random) -> tuple[date, date | None]:
    received_on = date(2026, 8, 1) + timedelta(days=chance.randrange(120))
    return received_on, chance.choice([None, received_on + timedelta(days=chance.randrange(60))])


async def add_single_cells(session: AsyncSession) -> None:
    chance, cells = random.Random(1), set[Cell]()
    while len(cells) < CELLS:
        received_on, due_on = some_days(chance)
        agency, procedure = chance.choice(AGENCIES), chance.choice(PROCEDURES)
        numbers = chance.randint(1, 3), chance.randint(1, 2)
        outcome = int(chance.choice(list(Handling)))
        cells.add(Cell(agency, *numbers, procedure, received_on, 1, outcome, due_on))
    await counters.add_to_cells(session, dict.fromkeys(cells, 1))


async def add_dossiers(session: AsyncSession) -> None:
    chance, dossiers = random.Random(2), set[Dimensions]()
    while len(dossiers) < CELLS:
        received_on, due_on = some_days(chance)
        received_by, procedure = chance.choice(AGENCIES), chance.choice(PROCEDURES[:3])
        outcome = chance.choice(list(Handling))
        dossiers.add(
            Dimensions(received_by, received_by, procedure, received_on, 1, outcome, due_on)
        )
    await counters.add_counts(session, dict.fromkeys(dossiers, 1), changes=CELLS)


@pytest.mark.parametrize("add", [add_single_cells, add_dossiers])
async def test_cells_are_locked_in_the_order_of_their_columns(empty: National, add: Add) -> None:
    async with empty.sessions.begin() as session:
        await add(session)
        locked = (await session.scalars(text(LOCKED))).all()
        ordered = (await session.scalars(text(ORDERED))).all()
    assert len(locked) >= CELLS
    assert locked == ordered
