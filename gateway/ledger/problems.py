"""The expected errors of the access ledger; each says how to mend it."""

from http import HTTPStatus

from shared.web.calls.auth import NotAllowed
from shared.web.problems import RETRY_AFTER, Problem


class LedgerAway(Problem):
    """Nothing was done, or it is not told: an access that is not on record is not answered."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "The access ledger cannot be written now"
    type = "/problems/ledger-away"
    headers = RETRY_AFTER

    def __init__(self) -> None:
        super().__init__("Try again; repeat a change with the same Idempotency-Key.")


class RecordNotFound(Problem):
    status = HTTPStatus.NOT_FOUND
    title = "No such access record"
    type = "/problems/record-not-found"
    advice = "Look at the id; what lies outside the right does not exist for it."


class RecordUnprovable(Problem):
    status = HTTPStatus.CONFLICT
    title = "The batch of this record is not what was sealed"
    type = "/problems/record-unprovable"
    advice = "Tell whoever runs the mesh: python -m gateway.ledger.commands says what was changed."


class FieldsNotAllowed(NotAllowed):
    title = "The right does not show these fields of a record"
    type = "/problems/fields-not-allowed"
