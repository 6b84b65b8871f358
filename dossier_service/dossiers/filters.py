"""The conditions of a list of dossiers."""

from dataclasses import dataclass
from datetime import date

from shared.codes.enums import Channel, DossierStatus


@dataclass(frozen=True)
class DossierFilters:
    """The conditions of a list; None narrows nothing. Days are days at the office.

    `due_before` and `overdue` select unfinished dossiers only. `overdue` selects the dossiers that
    the indicators count as open and late; False selects all others.
    """

    status: DossierStatus | None
    procedure: str | None
    agency: str | None
    channel: Channel | None
    filed_from: date | None
    filed_to: date | None
    due_before: date | None
    overdue: bool | None
