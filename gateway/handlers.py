"""What happens upon what: event -> functions."""

from gateway.access import projections
from shared.events import AgencyChanged, ClientChanged, GrantChanged, ProcedurePublished
from shared.messaging.consumer import Handlers

HANDLERS: Handlers = {
    GrantChanged: [projections.keep_grants],
    ClientChanged: [projections.keep_clients],
    AgencyChanged: [projections.keep_agencies],
    ProcedurePublished: [projections.keep_procedures],
}
