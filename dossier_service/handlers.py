"""The table of the events that this service handles."""

from dossier_service.agencies import projections
from shared.events import AgencyChanged
from shared.messaging.inbox import EventHandler, Handlers

HANDLERS: Handlers = {
    AgencyChanged: [EventHandler("dossier_service", projections.upsert_agencies)],
}
