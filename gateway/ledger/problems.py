"""Define the expected errors of the access ledger; each states how to correct the request."""

from http import HTTPStatus

from shared.web.calls.auth import NotAllowed
from shared.web.problems import RETRY_AFTER, Problem


class LedgerAway(Problem):
    """The access cannot be recorded, so nothing was done or its answer is withheld."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "The access ledger cannot be written now"
    type = "/problems/ledger-away"
    headers = RETRY_AFTER
    advice = "Try again; repeat a change with the same Idempotency-Key."


class RecordNotFound(Problem):
    """No record has this id, or it lies outside the right."""

    status = HTTPStatus.NOT_FOUND
    title = "No such access record"
    type = "/problems/record-not-found"
    advice = "Check the id; records outside the right are not found."


class RecordUnprovable(Problem):
    """The stored records give another root than the one that was signed, so some were changed."""

    status = HTTPStatus.CONFLICT
    title = "The batch of this record differs from its seal"
    type = "/problems/record-unprovable"
    advice = (
        "Report this to the operator of the mesh, for whom python -m gateway verify-ledger names "
        "the changes."
    )


class RecordFieldsNotAllowed(NotAllowed):
    """A filter or a proof shows a member of records that the right in force leaves out."""

    title = "The right in force does not cover a field of the request"
    type = "/problems/fields-not-allowed"
    advice = (
        "Leave out the filters by these fields; a proof of a record needs a right to all of them."
    )
