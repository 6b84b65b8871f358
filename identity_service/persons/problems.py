"""Define the expected errors of verifications; each says how to correct the request."""

from collections.abc import Iterable
from http import HTTPStatus

from shared.web.calls.auth import NotAllowed
from shared.web.problems import Problem


class PurposeNotCovered(NotAllowed):
    title = "The right in force does not cover this purpose"
    type = "/problems/purpose-not-covered"
    advice = "Set X-Purpose to a procedure that your right covers."


class FieldsNotAllowed(NotAllowed):
    title = "The right in force does not cover a field of the request"
    type = "/problems/fields-not-allowed"
    advice = "Leave these fields out, or ask for a wider right."

    def __init__(self, fields: Iterable[str]) -> None:
        super().__init__(fields=sorted(fields))


class GuessesSpent(Problem):
    """Wrong claims about a person, or about many, have a budget, so that nobody tries them out."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many claims were wrong: nothing is compared now"
    type = "/problems/guesses-spent"
    advice = (
        "Check the person's papers, and send the request again after the seconds of"
        " Retry-After. Each wrong claim makes the wait longer."
    )

    def __init__(self, seconds: int) -> None:
        self.headers = {"Retry-After": str(seconds)}
        super().__init__()


class ClaimsUnderWay(Problem):
    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Other claims of the agency about this person are being compared"
    type = "/problems/claims-under-way"
    advice = (
        "Claims of one agency about one person are compared one after the other, and those"
        " before this one last too long. Nothing was compared. Wait for their responses, and"
        " send the request again after the seconds of Retry-After, one claim at a time."
    )

    def __init__(self, seconds: int) -> None:
        self.headers = {"Retry-After": str(seconds)}
        super().__init__()
