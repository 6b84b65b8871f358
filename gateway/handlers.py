"""Map each event to its handlers."""

from gateway.access.projections import keep_clients, keep_grants
from gateway.agencies.projections import keep_agencies
from gateway.purposes.projections import keep_procedures
from shared.events import AgencyChanged, ClientChanged, GrantChanged, ProcedurePublished
from shared.messaging.consumer import Handlers

HANDLERS: Handlers = {
    GrantChanged: [keep_grants],
    ClientChanged: [keep_clients],
    AgencyChanged: [keep_agencies],
    ProcedurePublished: [keep_procedures],
}
