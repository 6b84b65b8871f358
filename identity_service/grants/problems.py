"""Define the expected errors of grants; each says how to correct the request."""

from collections.abc import Collection, Iterable, Mapping
from http import HTTPStatus

from identity_service.agencies.problems import list_first_names
from shared.texts.translatable import Translatable
from shared.web.calls.auth import MAX_RIGHT_CODES, NotAllowed
from shared.web.problems import Problem


class GrantNotFound(Problem):
    """No grant has this id, or it lies outside the right."""

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
    """A right travels with each call, so the codes of a client for one operation are bounded."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The client would have too many codes for one operation"
    type = "/problems/right-too-long"
    advice = (
        "Revoke grants that are no longer needed, or name national procedures and whole agencies."
    )

    def __init__(self, sums: Mapping[str, int]) -> None:
        first = list_first_names(sums)
        super().__init__(
            Translatable(
                "The grants that a client has for one operation, not yet ended, may have "
                "{maximum} codes together: procedures, agencies, fields, and one for "
                "each grant. With this one they would have {count}. Revoke grants that are no "
                "longer needed, or name national procedures and whole agencies.",
                maximum=MAX_RIGHT_CODES,
                count=sums[first[0]],
            ),
            operations=first,
        )


class OperationsUnknown(Problem):
    """A grant names operations of the mesh that need a right."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "No operation that needs a right has this name"
    type = "/problems/operation-unknown"
    advice = (
        "Write the method and the path as in /openapi.json, for instance `GET"
        " /identity/v1/grants/{grant_id}`."
    )

    def __init__(self, operations: Iterable[str]) -> None:
        super().__init__(operations=list_first_names(operations))


class FieldsUnknown(Problem):
    """A limit to fields names those that the operations of the grant have."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "These operations have no such field"
    type = "/problems/field-unknown"
    advice = "Limit `fields` to those of `known`, or leave it out, which means all."

    def __init__(self, known: Collection[str], *, count: int) -> None:
        super().__init__(
            Translatable("Limit `fields` to those of `known`, or leave it out, which means all.")
            if known
            else Translatable(
                "Leave `fields` out: these operations have none that a grant could be limited to."
            ),
            count=count,
            known=known,
        )


class BeyondOwnRight(NotAllowed):
    """A grant lies within one grant of its giver."""

    title = "The grant reaches beyond the giver's own right"
    type = "/problems/beyond-own-right"
    advice = (
        "Give only operations that one grant of your own covers, within its agencies,"
        " procedures, fields, quotas, begin and end."
    )

    def __init__(self, operations: Iterable[str]) -> None:
        super().__init__(operations=list_first_names(operations))


class GrantToSelf(NotAllowed):
    title = "No agency gives itself a right to this operation"
    type = "/problems/grant-to-self"
    advice = "Ask an operator of the mesh to give it to this client."

    def __init__(self, operations: Iterable[str]) -> None:
        super().__init__(operations=list_first_names(operations))


class NotTheOwner(NotAllowed):
    """The owner of the data gives rights to it; some of them each holder may pass on."""

    title = "Only the owner of the data, or an operator, may give or revoke this right"
    type = "/problems/not-the-owner"
    advice = "Ask the owner of these operations' data."
