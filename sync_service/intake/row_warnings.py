"""What is unusual about a pushed row, and holds nothing back: codes, see docs/api.md."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.agency import canonical_agency_code
from shared.codes.time import day_in_viet_nam
from shared.rules.deadlines import Term, due_at
from sync_service.agencies import repository as catalogue
from sync_service.agencies.models import Agency
from sync_service.agencies.repository import Terms
from sync_service.intake.schemas import DossierRow
from sync_service.national_view.repository import listings as store

AGENCY_CLOSED: Final = "agency_closed"
AGENCY_UNKNOWN: Final = "agency_unknown"
DUE_DATE_DISTANT: Final = "due_date_distant"
PROCEDURE_UNKNOWN: Final = "procedure_unknown"

TERM_FACTOR: Final = 2
# Days on which no office is open, as at Tết, and a due date that was moved once.
TERM_SLACK: Final = timedelta(days=31)
LONGEST_WITHOUT_TERM: Final = timedelta(days=3_653)  # ten years

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
            *([DUE_DATE_DISTANT] if _is_due_date_distant(row, terms.get(row.procedure)) else []),
        ]
        for row in rows
    ]


def _named(row: DossierRow) -> set[str]:
    codes = row.helped_by, row.received_by, row.decided_by
    return {canonical_agency_code(code) for code in codes if code}


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


def _is_due_date_distant(row: DossierRow, longest: Term | None) -> bool:
    """Return whether the due date lies further ahead than terms and waits for papers explain.

    A wait lies between the reception and the time of the row, so a due date follows that time by
    the rest of the term at most.
    """
    begun = row.received_at or row.filed_at
    told_at = max(begun, row.source_time)
    # Nearly every row ends here: to compute a term costs more than all else.
    if row.due_at is None or row.due_at <= told_at + TERM_SLACK:
        return False
    ends_at = due_at(begun, longest)
    length = LONGEST_WITHOUT_TERM if ends_at is None else TERM_FACTOR * (ends_at - begun)
    return row.due_at > told_at + TERM_SLACK + length


def count_warnings(agency: str, warnings: Iterable[str]) -> None:
    for warning in warnings:
        ROW_WARNINGS.labels(agency, warning).inc()
