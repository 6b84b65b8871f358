"""The expected errors of the identity service; each says how to mend it."""

from collections.abc import Collection, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from shared.web.calls.auth import MAX_RIGHT_CODES, NotAllowed
from shared.web.problems import Problem

MAX_NAMED = 20


def named(names: Iterable[str]) -> list[str]:
    """Return the first names in order, as many as one answer holds."""
    return sorted(names)[:MAX_NAMED]


class AgencyNotFound(Problem):
    status = HTTPStatus.NOT_FOUND
    title = "No such agency"
    type = "/problems/agency-not-found"
    advice = "GET /identity/v1/agencies lists those that this right reaches."


class AgenciesUnknown(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The registry does not know an agency that the request names"
    type = "/problems/agency-unknown"

    def __init__(self, codes: Iterable[str]) -> None:
        super().__init__(
            "Look the code up at GET /identity/v1/agencies, or register the agency first.",
            agencies=named(codes),
        )


class AgencyClosed(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The agency is closed at that time"
    type = "/problems/agency-closed"

    def __init__(self, code: str, successor: str | None) -> None:
        advice = "Name its successor instead." if successor else "Name another agency."
        super().__init__(advice, agency=code, successor=successor)


class AgencyExists(Problem):
    status = HTTPStatus.CONFLICT
    title = "An agency with this code is registered already"
    type = "/problems/agency-exists"
    advice = "Read it under this code, or register under another."


class ClientNotFound(Problem):
    status = HTTPStatus.NOT_FOUND
    title = "No such client"
    type = "/problems/client-not-found"
    advice = "GET /identity/v1/clients lists those that this right reaches."


class ClientUnknown(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The registry does not know the client, or it is no longer active"
    type = "/problems/client-unknown"
    advice = "Register the client system first, or name an active one."


class ClientExists(Problem):
    status = HTTPStatus.CONFLICT
    title = "A client with this id is registered already"
    type = "/problems/client-exists"
    advice = "Read it under this id, or register under another."


class KeyExists(Problem):
    status = HTTPStatus.CONFLICT
    title = "The client has a key with this kid already"
    type = "/problems/key-exists"
    advice = "Give the new key another kid."


class KeyNotFound(Problem):
    status = HTTPStatus.NOT_FOUND
    title = "The client has no such key"
    type = "/problems/key-not-found"
    advice = "The client lists its keys with their kid."


class GrantNotFound(Problem):
    status = HTTPStatus.NOT_FOUND
    title = "No such grant"
    type = "/problems/grant-not-found"
    advice = "GET /identity/v1/grants lists those that this right reaches."


class GrantRevoked(Problem):
    status = HTTPStatus.CONFLICT
    title = "This grant was revoked before"
    type = "/problems/grant-revoked"
    advice = "Give a new one where the access is needed again."


class GrantEnded(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The grant would end before it begins"
    type = "/problems/grant-ended"
    advice = "Let valid_to lie after valid_from and after now."


class RightTooLong(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The client would have too many codes for one operation"
    type = "/problems/right-too-long"

    def __init__(self, sums: Mapping[str, int]) -> None:
        first = named(sums)
        super().__init__(
            f"The grants that a client has for one operation, not yet ended, may have"
            f" {MAX_RIGHT_CODES} codes together: procedures, agencies, fields, and one for each"
            f" grant. With this one they would have {sums[first[0]]}. Revoke grants that are no"
            " longer needed, or name national procedures and whole agencies.",
            operations=first,
        )


class OperationsUnknown(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "No operation that needs a right has this name"
    type = "/problems/operation-unknown"

    def __init__(self, operations: Iterable[str]) -> None:
        super().__init__(
            "Write the method and the path as /openapi.json has them, `GET"
            " /identity/v1/grants/{grant_id}` for instance.",
            operations=named(operations),
        )


class FieldsUnknown(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "These operations have no such field"
    type = "/problems/field-unknown"

    def __init__(self, known: Collection[str], *, count: int) -> None:
        super().__init__(
            "Limit `fields` to those of `known`, or leave it out, which means all."
            if known
            else "Leave `fields` out: these operations have none that a grant could be limited to.",
            count=count,
            known=known,
        )


class BeyondOwnRight(NotAllowed):
    title = "The grant reaches beyond the giver's own right"
    type = "/problems/beyond-own-right"

    def __init__(self, operations: Iterable[str]) -> None:
        super().__init__(
            "Give only operations that one grant of your own covers, within its agencies,"
            " procedures, fields, quotas, begin and end.",
            operations=named(operations),
        )


class GrantToSelf(NotAllowed):
    title = "No agency gives itself a right to this operation"
    type = "/problems/grant-to-self"

    def __init__(self, operations: Iterable[str]) -> None:
        super().__init__(
            "Ask an operator of the mesh to give it to this client.", operations=named(operations)
        )


class ProofRefused(NotAllowed):
    title = "The client has not signed this act"
    type = "/problems/proof-refused"


class LastOperator(Problem):
    status = HTTPStatus.CONFLICT
    title = "No operator would be left"
    type = "/problems/last-operator"
    advice = "Give another operator a key and a right to all operations first."


class OperatorsOnly(NotAllowed):
    title = "Only an operator may do this"
    type = "/problems/operators-only"


class NotTheOwner(NotAllowed):
    title = "Only the owner of the data, or an operator, may give or revoke this right"
    type = "/problems/not-the-owner"


class PurposeNotCovered(NotAllowed):
    title = "The right in force does not cover this purpose"
    type = "/problems/purpose-not-covered"


class FieldsNotAllowed(NotAllowed):
    title = "The right in force does not cover a field that the request asks about"
    type = "/problems/fields-not-allowed"

    def __init__(self, fields: Iterable[str]) -> None:
        super().__init__("Leave these fields out, or ask for a wider right.", fields=sorted(fields))


class TokenRefused(Problem):
    """An error of the token endpoint, told as RFC 6749 §5.2 has it beside our own members."""

    status = HTTPStatus.BAD_REQUEST
    error: str

    def body(self) -> dict[str, Any]:
        return super().body() | {"error": self.error, "error_description": self.detail}


class TokenRequestMalformed(TokenRefused):
    title = "The token request cannot be read"
    type = "/problems/token-request-malformed"
    error = "invalid_request"


class GrantTypeUnsupported(TokenRefused):
    title = "This grant type is not offered"
    type = "/problems/grant-type-unsupported"
    error = "unsupported_grant_type"


class ClientNotProven(TokenRefused):
    status = HTTPStatus.UNAUTHORIZED
    title = "The client has not proven who it is"
    type = "/problems/client-not-proven"
    error = "invalid_client"
    headers = {"WWW-Authenticate": 'Basic realm="oauth"'}  # noqa: RUF012 -- read only


class GuessesSpent(Problem):
    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many claims were wrong: nothing is compared now"
    type = "/problems/guesses-spent"

    def __init__(self, seconds: int) -> None:
        self.headers = {"Retry-After": str(seconds)}
        super().__init__(
            "Compare with the person's papers, and ask again after the seconds of Retry-After. Each"
            " wrong claim makes the wait longer."
        )


class ClaimsUnderWay(Problem):
    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Other claims of the agency about this person are being compared"
    type = "/problems/claims-under-way"

    def __init__(self, seconds: int) -> None:
        self.headers = {"Retry-After": str(seconds)}
        super().__init__(
            "Claims of one agency about one person are compared one after the other, and those"
            " before this one last too long. Nothing was compared. Wait for their answers, and ask"
            " again after the seconds of Retry-After, one claim at a time."
        )
