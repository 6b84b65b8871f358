"""The indicators and the list of overdue dossiers judge each dossier alike."""

from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import insert, select

from shared.codes.enums import DossierStatus
from sync_service.national_view.handling import is_overdue
from sync_service.national_view.models import NationalDossier
from sync_service.national_view.repository import listings
from tests.sync_service.national import National

NOON = datetime(2026, 11, 10, 5, tzinfo=UTC)
DAY = timedelta(days=1)
DUE_AT = (None, NOON)
FACTS: dict[str, tuple[Any, ...]] = {
    "status": (DossierStatus.PROCESSING, DossierStatus.SUPPLEMENT_REQUESTED),
    "received_at": (None, NOON - 9 * DAY),
    "due_at": DUE_AT,
    "latest_at": DUE_AT,
    "ended_at": (None, NOON - DAY, NOON + DAY),
    "requests": (0, 1, 2),
    "requested_at": (None, NOON - DAY, NOON, NOON + DAY),
}
UNJUDGED = {
    "source": "external-h41",
    "version": 1,
    "source_time": NOON,
    "source_version": 1,
    "procedure": "1.001193",
    "national_procedure": "1.001193",
    "channel": 1,
    "received_by": "H41",
    "decided_by": "H41",
    "deciding": "H41",
    "filed_at": NOON,
    "opened_at": NOON,
    "facts_time": NOON,
    "facts_version": 1,
    "facts_digest": 0,
}


@pytest.mark.parametrize("today", [date(2026, 11, day) for day in (9, 10, 11, 12)])
async def test_each_dossier_is_overdue_in_the_list_and_in_the_indicators_alike(
    empty: National, today: date
) -> None:
    rows = [
        {**UNJUDGED, **dict(zip(FACTS, facts, strict=True)), "code": f"H41-261101-{number:04}"}
        for number, facts in enumerate(product(*FACTS.values()))
    ]
    judged = listings.is_overdue(today)
    async with empty.sessions.begin() as session:
        await session.execute(insert(NationalDossier), rows)
        for dossier, overdue in await session.execute(select(NationalDossier, judged)):
            expected = is_overdue(dossier, today)
            facts = {name: getattr(dossier, name) for name in FACTS}
            assert overdue is expected, facts
