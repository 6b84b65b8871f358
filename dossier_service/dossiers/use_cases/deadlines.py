"""The deadlines of a dossier: set at reception, moved on by each wait for papers."""

from collections.abc import Sequence
from datetime import datetime

from dossier_service.catalogue.procedure import Procedure
from dossier_service.dossiers.models import Dossier
from shared.codes.enums import DossierStatus
from shared.rules.deadlines import (
    PaperWait,
    describe_calendar,
    extend_by_waits,
    latest_due_at,
    list_paper_waits,
)


def set_due_dates(dossier: Dossier, procedure: Procedure, waits: Sequence[PaperWait] = ()) -> None:
    """Set the due date from reception on, moved on by the waits for papers since.

    A dossier without a due date is measured by the longest term (QĐ 766, 2.1).
    """
    received_at = dossier.received_at
    assert received_at is not None, "the term begins at reception"
    terms = procedure.list_terms(dossier.channel, dossier.term_case)
    dossier.due_at = extend_by_waits(latest_due_at(received_at, terms), waits)
    if dossier.due_at is None:
        dossier.latest_at = extend_by_waits(
            latest_due_at(received_at, procedure.list_terms()), waits
        )
    dossier.due_calendar = _find_present_calendar(dossier)


def extend_deadline_by_wait(dossier: Dossier, to: DossierStatus, now: datetime) -> None:
    """Move the deadline that runs, of reception or of the answer, on by a wait that ends now."""
    course = (dossier.moved_at, dossier.status), (now, to)
    waits = list_paper_waits(course, after=dossier.received_at)
    if not waits:
        return
    if dossier.received_at is None:
        dossier.reception_due_at = extend_by_waits(dossier.reception_due_at, waits)
        return
    before, is_stale = dossier.due_calendar, dossier.due_calendar != _find_present_calendar(dossier)
    dossier.due_before_supplement = dossier.due_at
    dossier.due_at = extend_by_waits(dossier.due_at, waits)
    dossier.latest_at = extend_by_waits(dossier.latest_at, waits)
    dossier.due_calendar = _find_present_calendar(dossier)
    if is_stale:
        # The date before the wait still rests on the calendar of its own time.
        dossier.due_calendar = _keep_earlier_parts(dossier.due_calendar, before)


def _find_present_calendar(dossier: Dossier) -> str | None:
    """Return the calendars of today for the due date, or for the end that stands in for it."""
    assert dossier.received_at is not None
    return describe_calendar(dossier.received_at, dossier.due_at or dossier.latest_at)


def _keep_earlier_parts(basis: str | None, earlier: str | None) -> str | None:
    """Return the basis with the parts of the earlier one for the years that both name."""
    if basis is None or earlier is None:
        return basis
    earlier_parts = {part.split("/")[0]: part for part in earlier.split()}
    return " ".join(earlier_parts.get(part.split("/")[0], part) for part in basis.split())
