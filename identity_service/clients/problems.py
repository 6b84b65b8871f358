"""The expected errors of clients, their keys and their proofs; each says how to mend it."""

from http import HTTPStatus
from typing import Any

from shared.web.calls.auth import NotAllowed
from shared.web.problems import Problem


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


class TokenRefused(Problem):
    """An error of the token endpoint, told as RFC 6749 §5.2 has it beside our own members."""

    status = HTTPStatus.BAD_REQUEST
    error: str

    def body(self) -> dict[str, Any]:
        return super().body() | {"error": self.error, "error_description": self.detail}


class ClientNotProven(TokenRefused):
    status = HTTPStatus.UNAUTHORIZED
    title = "The client has not proven who it is"
    type = "/problems/client-not-proven"
    error = "invalid_client"
    headers = {"WWW-Authenticate": 'Basic realm="oauth"'}  # noqa: RUF012 -- read only
