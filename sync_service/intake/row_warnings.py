"""The warnings on pushed rows that are unusual but taken: see docs/en/how-to/push-status.md."""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, timedelta
from typing import Final

from prometheus_client import Counter

from shared.codes.agency import canonical_agency_code
from shared.codes.time import day_in_viet_nam
from shared.rules.deadlines import Term, due_at
from sync_service.agencies.terms import Terms
from sync_service.agencies.validity import NamedAgency
from sync_service.national_view.state import DossierState

AGENCY_CLOSED: Final = "agency_closed"
AGENCY_UNKNOWN: Final = "agency_unknown"
DUE_DATE_DISTANT: Final = "due_date_distant"
PROCEDURE_UNKNOWN: Final = "procedure_unknown"

TERM_FACTOR: Final = 2
# Days on which no office is open, as at Tết, and one postponement of a due date.
TERM_SLACK: Final = timedelta(days=31)
MAX_WITHOUT_TERM: Final = timedelta(days=3_653)  # ten years

ROW_WARNINGS = Counter(
    "sync_row_warnings", "Warnings on pushed rows, by the agency that pushed", ["agency", "warning"]
)


def list_warnings(
    pushed: DossierState,
    *,
    known: Mapping[str, NamedAgency],
    terms: Terms,
    unknown_procedures: AbstractSet[str],
) -> list[str]:
    """Return the warnings of a row.

    The registry and the catalogue may lag behind, so that an unknown code is no fault.
    """
    day = day_in_viet_nam(pushed.received_at or pushed.filed_at)
    return [
        *_warn_of_agencies(list_named_agencies(pushed), known, day),
        *([PROCEDURE_UNKNOWN] if pushed.procedure in unknown_procedures else []),
        *([DUE_DATE_DISTANT] if _is_due_date_distant(pushed, terms.get(pushed.procedure)) else []),
    ]


def list_named_agencies(pushed: DossierState) -> set[str]:
    codes = pushed.helped_by, pushed.received_by, pushed.decided_by
    return {canonical_agency_code(code) for code in codes if code}


def _warn_of_agencies(
    codes: Collection[str], known: Mapping[str, NamedAgency], day: date
) -> Iterable[str]:
    """Yield the warnings of agencies on a day: a closed agency is valid for its own time."""
    agencies = [known.get(code) for code in codes]
    if any(agency is None or not agency.name for agency in agencies):
        yield AGENCY_UNKNOWN
    if any(agency and not agency.is_valid_on(day) for agency in agencies):
        yield AGENCY_CLOSED


def _is_due_date_distant(pushed: DossierState, longest: Term | None) -> bool:
    """Return whether the due date lies further ahead than terms and waits for papers explain.

    A wait lies between the reception and the time of the row, so a due date follows that time by
    the rest of the term at most.
    """
    begins_at = pushed.received_at or pushed.filed_at
    pushed_at = max(begins_at, pushed.source_time)
    # Nearly every row returns here; computing the term is the expensive part.
    if pushed.due_at is None or pushed.due_at <= pushed_at + TERM_SLACK:
        return False
    ends_at = due_at(begins_at, longest)
    length = MAX_WITHOUT_TERM if ends_at is None else TERM_FACTOR * (ends_at - begins_at)
    return pushed.due_at > pushed_at + TERM_SLACK + length


def count_warnings(agency: str, warnings: Iterable[str]) -> None:
    for warning in warnings:
        ROW_WARNINGS.labels(agency, warning).inc()
