"""What happens upon what."""

from dossier_service import projections
from shared.consumer import Handlers
from shared.events import AgencyChanged

HANDLERS: Handlers = {
    AgencyChanged: [projections.keep_agencies],
}
