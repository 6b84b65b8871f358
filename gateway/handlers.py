"""Map each event to its handlers."""

from gateway.access.projections import upsert_changed_clients, upsert_changed_grants
from gateway.agencies.projections import upsert_agencies
from gateway.purposes.projections import upsert_published_procedures
from shared.events import AgencyChanged, ClientChanged, GrantChanged, ProcedurePublished
from shared.messaging.inbox import EventHandler, Handlers

CONSUMER = "gateway"

HANDLERS: Handlers = {
    GrantChanged: [EventHandler(CONSUMER, upsert_changed_grants)],
    ClientChanged: [EventHandler(CONSUMER, upsert_changed_clients)],
    AgencyChanged: [EventHandler(CONSUMER, upsert_agencies)],
    ProcedurePublished: [EventHandler(CONSUMER, upsert_published_procedures)],
}
