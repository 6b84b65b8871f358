"""The events of the national view."""

from datetime import datetime
from typing import ClassVar

from shared.events.dossier import DossierSnapshot


class DossierSynced(DossierSnapshot):
    """The state of a dossier as its source last pushed it; `version` counts accepted pushes."""

    event_type: ClassVar[str] = "sync.dossier.synced.v1"
    topic: ClassVar[str] = "sync.events.v1"
    publisher: ClassVar[str] = "sync_service"

    source: str
    source_time: datetime
