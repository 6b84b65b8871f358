"""What is unusual about a pushed row, and holds nothing back: codes, see docs/api.md."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Final

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import day_in_viet_nam
from sync_service import catalogue, store
from sync_service.agencies import today_form
from sync_service.catalogue import Terms
from sync_service.models import Agency
from sync_service.schemas import DossierRow

AGENCY_CLOSED: Final = "agency_closed"
AGENCY_UNKNOWN: Final = "agency_unknown"
PROCEDURE_UNKNOWN: Final = "procedure_unknown"

ROW_WARNINGS = Counter(
    "sync_row_warnings", "Warnings on pushed rows, by the agency that pushed", ["agency", "warning"]
)


async def find_warnings(
    session: AsyncSession, rows: Sequence[DossierRow], terms: Terms
) -> list[list[str]]:
    """Return the warnings of each row.

    The registry and the catalogue may lag behind: what they do not know is no fault.
    """
    known = await store.agencies(session, {code for row in rows for code in _named(row)})
    unknown = {row.procedure for row in rows} - terms.keys()
    if unknown and await catalogue.is_empty(session):
        unknown = set()
    return [
        [
            *_of_agencies(_named(row), known, day_in_viet_nam(row.received_at or row.filed_at)),
            *([PROCEDURE_UNKNOWN] if row.procedure in unknown else []),
        ]
        for row in rows
    ]


def _named(row: DossierRow) -> set[str]:
    codes = row.helped_by, row.received_by, row.decided_by
    return {today_form(code) for code in codes if code}


def _of_agencies(codes: Collection[str], known: Mapping[str, Agency], day: date) -> Iterable[str]:
    """An agency is held against the day of the fact: a closed one is right for its own time."""
    agencies = [known.get(code) for code in codes]
    if any(agency is None or not agency.name for agency in agencies):
        yield AGENCY_UNKNOWN
    if any(agency and not _is_valid(agency, day) for agency in agencies):
        yield AGENCY_CLOSED


def _is_valid(agency: Agency, day: date) -> bool:
    begun = agency.valid_from is None or agency.valid_from <= day
    return begun and (agency.valid_to is None or day <= agency.valid_to)


def count_warnings(agency: str, warnings: Iterable[str]) -> None:
    for warning in warnings:
        ROW_WARNINGS.labels(agency, warning).inc()
