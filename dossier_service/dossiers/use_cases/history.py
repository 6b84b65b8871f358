"""What every change of a dossier leaves behind: a step of its history, and an event."""

from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.dossiers.models import Dossier
from shared.events import DossierEvent, DossierStanding
from shared.messaging.outbox import emit
from shared.web.calls.auth import CallContext

Told = TypeVar("Told", bound=DossierEvent)

_STANDING = DossierStanding.model_fields.keys() - {"at"}


def history_entry(
    dossier: Dossier, caller: CallContext, act: str, at: datetime, **what: Any
) -> dict[str, Any]:
    """The row of `dossier_step` that led to its version; `what`: from_status, step, reason, note"""
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
    } | what


def publish_change(
    session: AsyncSession, event: type[Told], dossier: Dossier, at: datetime, **what: Any
) -> None:
    """Announce how the dossier now stands; `what` are the event's own fields."""
    standing = {name: getattr(dossier, name) for name in _STANDING}
    emit(session, event(**standing, at=at, **what))
