"""The conditions of a list of dossiers."""

from dataclasses import dataclass
from datetime import date

from shared.codes.enums import Channel, DossierStatus


@dataclass(frozen=True)
class DossierFilters:
    """Days are those of the office. `due_before` and `overdue`: unfinished dossiers only.

    `overdue` narrows to those that the indicators count as open and late; False: to all others.
    """

    status: DossierStatus | None
    procedure: str | None
    agency: str | None
    channel: Channel | None
    filed_from: date | None
    filed_to: date | None
    due_before: date | None
    overdue: bool | None
