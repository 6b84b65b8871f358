"""Record every change of a dossier: a step of its history, and an event."""

from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.dossiers.models import Dossier
from shared.events import DossierEvent, DossierSnapshot
from shared.messaging.outbox import publish_events
from shared.web.calls.auth import CallContext

ChangeEvent = TypeVar("ChangeEvent", bound=DossierEvent)

_SNAPSHOT_FIELDS = DossierSnapshot.model_fields.keys() - {"at"}


def history_entry(
    dossier: Dossier, caller: CallContext, act: str, at: datetime, **fields: Any
) -> dict[str, Any]:
    """Return the row of `dossier_step` that led to the present version.

    `fields` may be from_status, step, reason and note.
    """
    return {
        "dossier": dossier.code,
        "version": dossier.version,
        "act": act,
        "at": at,
        "from_status": dossier.status,
        "to_status": dossier.status,
        "client": caller.client,
        "officer": caller.officer,
        "step": None,
        "reason": None,
        "note": None,
    } | fields


def publish_change(
    session: AsyncSession, event: type[ChangeEvent], dossier: Dossier, at: datetime, **fields: Any
) -> None:
    """Publish the present state of the dossier; `fields` are the event's own fields."""
    snapshot = {name: getattr(dossier, name) for name in _SNAPSHOT_FIELDS}
    publish_events(session, event(**snapshot, at=at, **fields))
