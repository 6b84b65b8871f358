"""Map each event to its handlers."""

from gateway.access.projections import keep_clients, keep_grants
from gateway.agencies.projections import keep_agencies
from gateway.purposes.projections import keep_procedures
from shared.events import AgencyChanged, ClientChanged, GrantChanged, ProcedurePublished
from shared.messaging.inbox import EventHandler, Handlers

CONSUMER = "gateway"

HANDLERS: Handlers = {
    GrantChanged: [EventHandler(CONSUMER, keep_grants)],
    ClientChanged: [EventHandler(CONSUMER, keep_clients)],
    AgencyChanged: [EventHandler(CONSUMER, keep_agencies)],
    ProcedurePublished: [EventHandler(CONSUMER, keep_procedures)],
}
