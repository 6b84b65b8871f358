"""The events of dossiers. Each carries the complete present state of its dossier."""

from datetime import datetime
from typing import ClassVar

from shared.events.base import Event


class DossierSnapshot(Event):
    """The state of a dossier. Agencies are codes, instants are aware, `status` is 1 to 10.

    `latest_at` stands in for a due date that the procedure does not give for this channel: the
    end of its longest term (QĐ 766, remark to 2.1).
    """

    key: ClassVar[str] = "code"

    code: str
    version: int
    at: datetime
    procedure: str
    channel: int
    status: int
    helped_by: str | None
    received_by: str
    decided_by: str
    filed_at: datetime
    received_at: datetime | None
    due_at: datetime | None
    latest_at: datetime | None = None
    finished_at: datetime | None


class DossierEvent(DossierSnapshot):
    topic: ClassVar[str] = "dossier.events.v1"
    publisher: ClassVar[str] = "dossier_service"


class DossierFiled(DossierEvent):
    event_type: ClassVar[str] = "dossier.filed.v1"


class DossierMoved(DossierEvent):
    """A transition; `reason` is a code of the catalogue of reasons, never free text."""

    event_type: ClassVar[str] = "dossier.moved.v1"

    previous: int
    reason: str | None = None


class DossierProgressed(DossierEvent):
    """The dossier reached another step without a change of status."""

    event_type: ClassVar[str] = "dossier.progressed.v1"

    step: str


class FeePaid(DossierEvent):
    event_type: ClassVar[str] = "dossier.fee_paid.v1"

    fee: str
    amount_vnd: int
    online: bool


class ResultIssued(DossierEvent):
    event_type: ClassVar[str] = "dossier.result_issued.v1"

    result: str
    electronic: bool
