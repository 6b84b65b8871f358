"""Authorize each call. The checks run in this order: ledger, token, headers, right, quota."""

import time
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus

from starlette.types import Scope

from gateway.access.assertion import RightsSigner
from gateway.access.callers.claimed_client import client_of_basic, client_of_form, client_of_token
from gateway.access.callers.client_address import Neighbours
from gateway.access.grant_rules import is_administration
from gateway.access.grants import ClientRights, Rights, largest_quotas, list_fitting, unite_rights
from gateway.access.problems import NoRight
from gateway.access.rate_limits import Quotas
from gateway.access.right_in_force import RightInForce
from gateway.ledger.record_draft import Exchange, Ledger
from gateway.operations.model import QuotaClass, Service
from gateway.operations.problems import RequestMalformed
from gateway.purposes.explanation import EXPLAINING_HEADERS, note_explanation
from gateway.purposes.registry import PurposeRegistry
from shared.web.calls.auth import (
    FETCH_TOKEN,
    Unauthenticated,
    Verifier,
    read_bearer_token,
)
from shared.web.calls.internal_headers import RIGHT_HEADER
from shared.web.problems import Problem, Unavailable

_NAMES = {name.lower().encode(): name for name in ("Authorization", *EXPLAINING_HEADERS)}
# An assertion names the package of the service as its audience.
_AUDIENCES = {
    Service.IDENTITY: "identity_service",
    Service.DOSSIER: "dossier_service",
    Service.SYNC: "sync_service",
    Service.GATEWAY: "gateway",
}


class Admission:
    """Authorize a call and return the headers that the upstream service gets.

    It implements `Admit`. Personal and administrative calls get the assertion of a right.
    """

    def __init__(
        self,
        *,
        tokens: Verifier,
        rights: Rights,
        purposes: PurposeRegistry,
        quotas: Quotas,
        ledger: Ledger,
        signer: RightsSigner,
        neighbours: Neighbours,
    ) -> None:
        self._tokens, self._rights, self._quotas = tokens, rights, quotas
        self._purposes = purposes
        self._ledger, self._signer, self._neighbours = ledger, signer, neighbours

    async def __call__(
        self, exchange: Exchange, scope: Scope, parameters: Mapping[str, str]
    ) -> Sequence[tuple[str, str]]:
        operation = exchange.operation
        self._ledger.require_open(operation)
        exchange.address = self._neighbours.caller(scope)
        if operation.public:
            self._admit_anybody(exchange, scope)
            return _credentials(scope) if operation.credentials else ()
        try:
            told = _told(scope)
            await self._identify(exchange, told)
            note_explanation(exchange, told, parameters, self._purposes, now=time.time())
            known = self._client(exchange)
        except Problem as refusal:
            if refusal.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                self._spend_refusal(exchange, scope)
            raise
        right = self._right(exchange, known)
        named = right.name_grants(exchange.purpose)
        exchange.grants, exchange.legal_bases = named.ids, named.legal_bases
        signed = self._signer.assertion(
            right,
            client=str(exchange.client),
            operation=operation.name,
            audience=_AUDIENCES[operation.service],
            now=time.time(),
        )
        return ((RIGHT_HEADER, signed), *_identity(exchange), *_explanation(exchange))

    def _spend_refusal(self, exchange: Exchange, scope: Scope) -> None:
        """Count a refused call against a quota, because each refusal is recorded.

        The count is kept by client, or by address and claimed client where no client is proven.
        """
        who = exchange.client
        if who is None:
            self._quotas.spend(exchange.address, QuotaClass.ADDRESS)
            who = f"{exchange.address} {client_of_token(_authorization(scope))}"
        self._quotas.spend(who, QuotaClass.REFUSED)

    def _admit_anybody(self, exchange: Exchange, scope: Scope) -> None:
        """Count a public call by its address, and a token request by its claimed client as well.

        Many callers may share one address. The body of a token request, which names the client, has
        not been read yet.
        """
        operation = exchange.operation
        if operation.quota_class is not QuotaClass.TOKEN:
            self._quotas.spend(exchange.address, operation.quota_class)
            return
        self._quotas.spend(exchange.address, QuotaClass.ADDRESS)
        authorization = _authorization(scope)

        def spend(body: bytes) -> None:
            client = client_of_form(body) or client_of_basic(authorization)
            self._quotas.spend(f"{exchange.address} {client}", QuotaClass.TOKEN)

        exchange.read_body = spend

    async def _identify(self, exchange: Exchange, told: Mapping[str, str]) -> None:
        claims = await self._tokens.claims(read_bearer_token(told.get("Authorization")))
        client, agency = claims["sub"], claims.get("agency")
        if not isinstance(agency, str):
            raise Unauthenticated(f"It names no agency. {FETCH_TOKEN}")
        exchange.client, exchange.agency = client, agency

    def _right(self, exchange: Exchange, known: ClientRights) -> RightInForce:
        """Return the right that covers the call; raise NoRight or QuotaSpent.

        Refused calls count against the quota as well.
        """
        operation, client = exchange.operation, str(exchange.client)
        rights = known.to(operation.name, time.time())
        fitting = list_fitting(rights, exchange.purpose)
        if not fitting:
            self._quotas.spend(client, operation.quota_class)
            raise _refusal(operation.name, purpose_lacks=bool(rights))
        quotas = largest_quotas(fitting, exchange.purpose)
        self._quotas.spend(client, operation.quota_class, quotas)
        return unite_rights(fitting)

    def _client(self, exchange: Exchange) -> ClientRights:
        if not self._rights.loaded:
            raise Unavailable(f"The rights in force are not loaded yet. {Unavailable.advice}")
        known = self._rights.of(str(exchange.client))
        if known is None or not known.active:
            raise NoRight(
                exchange.operation.name,
                lacking="client",
                detail="This client system is not registered here, or was deactivated: ask an "
                "operator of the mesh to register or reactivate it.",
            )
        if known.agency != exchange.agency:
            raise Unauthenticated(f"The client belongs to another agency now. {FETCH_TOKEN}")
        return known


def _authorization(scope: Scope) -> bytes:
    return next((value for name, value in scope["headers"] if name == b"authorization"), b"")


def _refusal(operation: str, *, purpose_lacks: bool) -> NoRight:
    if purpose_lacks:
        detail = (
            f"The right to {operation} does not cover this X-Purpose: send the code of a "
            "procedure that it names, or ask the owner of the data for a wider grant."
        )
        return NoRight(operation, lacking="purpose", detail=detail)
    giver = "an operator of the mesh" if is_administration(operation) else "the owner of the data"
    detail = f"No grant in force names {operation}: ask {giver} for one."
    return NoRight(operation, lacking="operation", detail=detail)


def _told(scope: Scope) -> dict[str, str]:
    """Return the headers by which the caller identifies itself and explains the call.

    Raise RequestMalformed where one of them is repeated or is not UTF-8.
    """
    told: dict[str, str] = {}
    for name, value in scope["headers"]:
        if (known := _NAMES.get(name)) is None:
            continue
        if known in told:
            # The upstream service might read the other copy.
            raise RequestMalformed(f"Send the header {known} once.")
        try:
            told[known] = value.decode().strip()
        except UnicodeDecodeError:
            raise RequestMalformed(f"Send the header {known} in UTF-8.") from None
    return told


def _credentials(scope: Scope) -> Sequence[tuple[str, str]]:
    """Return the header Authorization for an operation that issues tokens.

    A bearer token is no credential there: only its scheme is forwarded, which the service refuses.
    """
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if not given:
        return ()
    try:
        (credentials,) = (value.decode() for value in given)
    except ValueError:  # more than one, or not UTF-8
        raise RequestMalformed("Send the header Authorization once, in ASCII.") from None
    if not credentials.isprintable():
        raise RequestMalformed("Send the header Authorization without control characters.")
    scheme = credentials.partition(" ")[0]
    return (("Authorization", scheme if scheme.lower() == "bearer" else credentials),)


def _identity(exchange: Exchange) -> Iterator[tuple[str, str]]:
    """Yield the identity that the token proved; the token itself is not forwarded."""
    yield "X-Client", str(exchange.client)
    yield "X-Agency", str(exchange.agency)


def _explanation(exchange: Exchange) -> Iterator[tuple[str, str]]:
    """Yield the explanation as recorded, so that the upstream service reads the same values."""
    if exchange.purpose:
        yield "X-Purpose", exchange.purpose
    if exchange.officer:
        yield "X-Officer", exchange.officer
    if exchange.dossier:
        yield "X-Dossier", exchange.dossier
