"""The table of the events that this service handles."""

from dossier_service.agencies import projections
from shared.events import AgencyChanged
from shared.messaging.consumer import Handlers

HANDLERS: Handlers = {
    AgencyChanged: [projections.upsert_agencies],
}
