"""The events of the catalogue of procedures."""

from datetime import datetime
from typing import ClassVar

from shared.events.base import Event


class ProcedurePublished(Event):
    """A version of a procedure in force from `at` on; the same version may be published again.

    `code` is national or localised, `owner` an agency, `levels` the levels that process it. An
    inactive procedure accepts no new dossiers. Its longest term in any channel (QĐ 766, remark to
    2.1) is a number of hours, days, working days or months, see `shared.rules.deadlines.Unit`; None
    where none is published. The catalogue holds `catalogue_size` procedures with this one, so that
    a reader can see whether it has all of them; entries are never removed.
    """

    event_type: ClassVar[str] = "catalogue.procedure.published.v1"
    topic: ClassVar[str] = "catalogue.events.v1"
    publisher: ClassVar[str] = "dossier_service"
    key: ClassVar[str] = "code"

    code: str
    version: int
    at: datetime
    active: bool
    owner: str | None
    levels: list[str]
    term_duration: int | None
    term_unit: str | None
    term_same_day: bool
    catalogue_size: int | None = None
