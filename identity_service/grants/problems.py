"""Define the expected errors of grants; each says how to correct the request."""

from collections.abc import Collection, Iterable, Mapping
from http import HTTPStatus

from identity_service.agencies.problems import list_first_names
from shared.web.calls.auth import MAX_RIGHT_CODES, NotAllowed
from shared.web.problems import Problem


class GrantNotFound(Problem):
    status = HTTPStatus.NOT_FOUND
    title = "No such grant"
    type = "/problems/grant-not-found"
    advice = "GET /identity/v1/grants lists the grants that your right covers."


class GrantRevoked(Problem):
    status = HTTPStatus.CONFLICT
    title = "This grant is already revoked"
    type = "/problems/grant-revoked"
    advice = "Create a new grant where the access is needed again."


class GrantEnded(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The grant would end before it begins"
    type = "/problems/grant-ended"
    advice = "Set valid_to after valid_from and after now."


class RightTooLong(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The client would have too many codes for one operation"
    type = "/problems/right-too-long"

    def __init__(self, sums: Mapping[str, int]) -> None:
        first = list_first_names(sums)
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
            "Write the method and the path as in /openapi.json, for instance `GET"
            " /identity/v1/grants/{grant_id}`.",
            operations=list_first_names(operations),
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
            operations=list_first_names(operations),
        )


class GrantToSelf(NotAllowed):
    title = "No agency gives itself a right to this operation"
    type = "/problems/grant-to-self"

    def __init__(self, operations: Iterable[str]) -> None:
        super().__init__(
            "Ask an operator of the mesh to give it to this client.",
            operations=list_first_names(operations),
        )


class NotTheOwner(NotAllowed):
    title = "Only the owner of the data, or an operator, may give or revoke this right"
    type = "/problems/not-the-owner"
