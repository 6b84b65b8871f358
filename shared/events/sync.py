"""What other systems told the national view."""

from datetime import datetime
from typing import ClassVar

from shared.events.dossier import DossierSnapshot


class DossierSynced(DossierSnapshot):
    """A dossier of another system as that system last told; `version` counts what was taken."""

    event_type: ClassVar[str] = "sync.dossier.synced.v1"
    topic: ClassVar[str] = "sync.events.v1"
    publisher: ClassVar[str] = "sync_service"

    source: str
    source_time: datetime
