"""Define the expected errors of clients, keys and proofs; each says how to correct the request."""

from http import HTTPStatus
from typing import Any

from shared.web.calls.auth import NotAllowed
from shared.web.problems import Problem


class ClientNotFound(Problem):
    """No client has this id, or it lies outside the right."""

    status = HTTPStatus.NOT_FOUND
    title = "No such client"
    type = "/problems/client-not-found"
    advice = "GET /identity/v1/clients lists the clients that your right covers."


class ClientUnknown(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The client is not registered, or is no longer active"
    type = "/problems/client-unknown"
    advice = "Register the client system first, or name an active one."


class ClientExists(Problem):
    status = HTTPStatus.CONFLICT
    title = "A client with this id is registered already"
    type = "/problems/client-exists"
    advice = "Read it by this id, or register the client under another id."


class KeyExists(Problem):
    status = HTTPStatus.CONFLICT
    title = "The client has a key with this kid already"
    type = "/problems/key-exists"
    advice = "Give the new key another kid."


class KeyNotFound(Problem):
    status = HTTPStatus.NOT_FOUND
    title = "The client has no such key"
    type = "/problems/key-not-found"
    advice = "GET /identity/v1/clients/{client_id} lists the keys of the client."


class ProofRefused(NotAllowed):
    """A client's keys change by its own signature (X-Client-Proof), or by two operators."""

    title = "The client has not signed this act"
    type = "/problems/proof-refused"
    advice = "Sign this very act with a key that the client has, and send it as X-Client-Proof."


class LastOperator(Problem):
    """The act would leave nobody that can sign on and run the mesh."""

    status = HTTPStatus.CONFLICT
    title = "No operator would be left"
    type = "/problems/last-operator"
    advice = "Give another operator a key and a right to all operations first."


class OperatorsOnly(NotAllowed):
    """Operations of administration, and `*`, are given by operators alone."""

    title = "Only an operator may do this"
    type = "/problems/operators-only"
    advice = "Ask an operator of the mesh to do it."


class TokenRefused(Problem):
    """Report an error of the token endpoint with the members of RFC 6749 §5.2 beside our own.

    The description stays English, because the RFC allows it no letters outside ASCII.
    """

    status = HTTPStatus.BAD_REQUEST
    error: str

    def body(self) -> dict[str, Any]:
        return super().body() | {"error": self.error, "error_description": str(self.detail)}


class ClientNotProven(TokenRefused):
    """The assertion or the secret of the token request does not prove the client."""

    status = HTTPStatus.UNAUTHORIZED
    title = "The client has not proven its identity"
    type = "/problems/client-not-proven"
    error = "invalid_client"
    headers = {"WWW-Authenticate": 'Basic realm="oauth"'}  # noqa: RUF012 -- read only
    advice = "Check key, kid, alg, aud and clock, and sign a new jti for each token."
