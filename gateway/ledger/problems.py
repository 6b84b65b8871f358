"""The expected errors of the access ledger; each says how to mend it."""

from http import HTTPStatus

from shared.web.problems import RETRY_AFTER, Problem


class LedgerAway(Problem):
    """Nothing was done, or it is not told: an access that is not on record is not answered."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "The access ledger cannot be written now"
    type = "/problems/ledger-away"
    headers = RETRY_AFTER

    def __init__(self) -> None:
        super().__init__("Try again; repeat a change with the same Idempotency-Key.")
