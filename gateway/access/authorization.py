"""Authorize each call. The checks run in this order: ledger, token, headers, right, quota."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus

from starlette.types import Scope

from gateway.access.assertion import RightsSigner
from gateway.access.callers.claimed_client import (
    read_basic_client,
    read_form_client,
    read_token_client,
)
from gateway.access.callers.client_address import TrustedProxies
from gateway.access.grant_rules import is_administration_operation
from gateway.access.grants import (
    ClientGrants,
    GrantCache,
    compute_largest_quotas,
    list_covering_rights,
    unite_rights,
)
from gateway.access.problems import NoRight
from gateway.access.rate_limits import Quotas
from gateway.access.right_in_force import EffectiveRight
from gateway.ledger.record_draft import AccessRecordDraft, Ledger
from gateway.operations.model import Operation, QuotaClass, Service
from gateway.operations.problems import RequestMalformed
from gateway.purposes.explanation import record_call_explanation
from gateway.purposes.registry import PurposeRegistry
from shared.codes.coverage import canonical_code
from shared.codes.time import unix_now
from shared.texts.translatable import Translatable
from shared.web.calls.auth import (
    FETCH_TOKEN,
    Unauthenticated,
    Verifier,
    read_bearer_token,
)
from shared.web.calls.internal_headers import (
    EXPLAINING_HEADERS,
    CallExplanation,
    RawHeader,
    write_call_headers,
)
from shared.web.problems import Problem, Unavailable

_NAMES = {name.lower().encode(): name for name in ("Authorization", *EXPLAINING_HEADERS)}
# An assertion names the package of the service as its audience.
_AUDIENCES = {
    Service.IDENTITY: "identity_service",
    Service.DOSSIER: "dossier_service",
    Service.SYNC: "sync_service",
    Service.GATEWAY: "gateway",
}


class Authorizer:
    """Authorize a call and return the headers that the upstream service gets.

    It implements `Admit`. Personal and administrative calls get the assertion of a right.
    """

    def __init__(
        self,
        *,
        tokens: Verifier,
        rights: GrantCache,
        purposes: PurposeRegistry,
        quotas: Quotas,
        ledger: Ledger,
        signer: RightsSigner,
        trusted_proxies: TrustedProxies,
    ) -> None:
        self._tokens, self._rights, self._quotas = tokens, rights, quotas
        self._purposes = purposes
        self._ledger, self._signer, self._trusted_proxies = ledger, signer, trusted_proxies

    async def __call__(
        self, draft: AccessRecordDraft, scope: Scope, parameters: Mapping[str, str]
    ) -> Sequence[RawHeader]:
        operation = draft.operation
        self._ledger.require_open(operation)
        draft.address = self._trusted_proxies.read_client_address(scope)
        if operation.public:
            self._admit_public_call(draft, scope)
            return tuple(_list_public_headers(operation, scope))
        try:
            headers = _caller_headers(scope)
            await self._identify_calling_client(draft, headers)
            # Nothing is awaited from here on, so that one instant decides the whole call.
            now = unix_now()
            record_call_explanation(draft, headers, parameters, self._purposes, now=now)
            known = self._require_known_client(draft)
        except Problem as refusal:
            if refusal.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                self._count_refused_call(draft, scope)
            raise
        right = self._require_covering_right(draft, known, now=now)
        named = right.name_grants(draft.purpose)
        draft.grants, draft.legal_bases = named.ids, named.legal_bases
        signed = self._signer.sign_right_assertion(
            right,
            client=str(draft.client),
            operation=operation.name,
            audience=_AUDIENCES[operation.service],
            now=now,
        )
        explanation = CallExplanation(draft.purpose, draft.officer, draft.dossier)
        # The identity that the token proved; the token itself is not forwarded.
        return write_call_headers(
            signed, explanation, client=str(draft.client), agency=str(draft.agency)
        )

    def _count_refused_call(self, draft: AccessRecordDraft, scope: Scope) -> None:
        """Count a refused call against a quota, because each refusal is recorded.

        The count is kept by client, or by address and claimed client where no client is proven.
        """
        who = draft.client
        if who is None:
            self._quotas.count_call(draft.address, QuotaClass.ADDRESS)
            who = f"{draft.address} {read_token_client(_find_authorization(scope))}"
        self._quotas.count_call(who, QuotaClass.REFUSED)

    def _admit_public_call(self, draft: AccessRecordDraft, scope: Scope) -> None:
        """Count a public call by its address, and a token request by its claimed client as well.

        Many callers may share one address. The body of a token request, which names the client, has
        not been read yet.
        """
        operation = draft.operation
        if operation.quota_class is not QuotaClass.TOKEN:
            self._quotas.count_call(draft.address, operation.quota_class)
            return
        self._quotas.count_call(draft.address, QuotaClass.ADDRESS)
        authorization = _find_authorization(scope)

        def spend(body: bytes) -> None:
            client = read_form_client(body) or read_basic_client(authorization)
            self._quotas.count_call(f"{draft.address} {client}", QuotaClass.TOKEN)

        draft.read_body = spend

    async def _identify_calling_client(
        self, draft: AccessRecordDraft, headers: Mapping[str, str]
    ) -> None:
        claims = await self._tokens.claims(read_bearer_token(headers.get("Authorization")))
        client, agency = claims["sub"], claims.get("agency")
        if not isinstance(agency, str):
            raise Unauthenticated(
                Translatable("The token names no agency. {advice}", advice=FETCH_TOKEN)
            )
        draft.client, draft.agency = client, agency

    def _require_covering_right(
        self, draft: AccessRecordDraft, known: ClientGrants, *, now: float
    ) -> EffectiveRight:
        """Return the right that covers the call; raise NoRight or QuotaSpent.

        `now` is in Unix seconds. Refused calls count against the quota as well.
        """
        operation, client = draft.operation, str(draft.client)
        rights = known.for_operation(operation.name, now)
        fitting = list_covering_rights(rights, draft.purpose)
        if not fitting:
            self._quotas.count_call(client, operation.quota_class)
            raise _describe_refusal(operation.name, purpose_lacks=bool(rights))
        quotas = compute_largest_quotas(fitting, draft.purpose)
        self._quotas.count_call(client, operation.quota_class, quotas)
        return unite_rights(fitting)

    def _require_known_client(self, draft: AccessRecordDraft) -> ClientGrants:
        if not self._rights.complete:
            raise Unavailable(
                Translatable(
                    "The rights in force are not loaded yet. {advice}",
                    advice=Translatable.of_library(Unavailable.advice),
                )
            )
        known = self._rights.find_client_grants(str(draft.client))
        if known is None or not known.active:
            raise NoRight(
                draft.operation.name,
                lacking="client",
                detail=Translatable(
                    "This client system is not registered here, or was deactivated: ask an "
                    "operator of the mesh to register or reactivate it."
                ),
            )
        if known.agency != draft.agency and not _is_same_agency(known.agency, draft.agency):
            raise Unauthenticated(
                Translatable(
                    "The client belongs to another agency now. {advice}",
                    advice=FETCH_TOKEN,
                )
            )
        return known


def _is_same_agency(registered: str, claimed: str | None) -> bool:
    """Return whether both are codes of one agency: identity may have turned the one it claims."""
    return claimed is not None and canonical_code(registered) == canonical_code(claimed)


def _find_authorization(scope: Scope) -> bytes:
    return next((value for name, value in scope["headers"] if name == b"authorization"), b"")


def _describe_refusal(operation: str, *, purpose_lacks: bool) -> NoRight:
    if purpose_lacks:
        detail = Translatable(
            "The right to {operation} does not cover this X-Purpose: send the code of a "
            "procedure that it names, or ask the owner of the data for a wider grant.",
            operation=operation,
        )
        return NoRight(operation, lacking="purpose", detail=detail)
    detail = (
        Translatable(
            "No grant in force names {operation}: ask an operator of the mesh for one.",
            operation=operation,
        )
        if is_administration_operation(operation)
        else Translatable(
            "No grant in force names {operation}: ask the owner of the data for one.",
            operation=operation,
        )
    )
    return NoRight(operation, lacking="operation", detail=detail)


def _caller_headers(scope: Scope) -> dict[str, str]:
    """Return the headers by which the caller identifies itself and explains the call.

    Raise RequestMalformed where one of them is repeated or is not UTF-8.
    """
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        if (known := _NAMES.get(name)) is None:
            continue
        if known in headers:
            # The upstream service might read the other copy.
            raise RequestMalformed(Translatable("Send the header {name} once.", name=known))
        try:
            headers[known] = value.decode().strip()
        except UnicodeDecodeError:
            raise RequestMalformed(
                Translatable("Send the header {name} in UTF-8.", name=known)
            ) from None
    return headers


def _list_public_headers(operation: Operation, scope: Scope) -> Iterator[RawHeader]:
    """Yield the headers of the caller that the service of a public operation reads itself."""
    if operation.credentials:
        yield from _read_credentials(scope)
    if operation.by_host:
        # A request whose Host is not one name or address is refused before it is sent.
        for name, value in scope["headers"]:
            if name == b"host":
                yield b"x-forwarded-host", value


def _read_credentials(scope: Scope) -> Sequence[RawHeader]:
    """Return the header Authorization for an operation that issues tokens.

    A bearer token is no credential there: only its scheme is forwarded, which the service refuses.
    """
    values = [value for name, value in scope["headers"] if name == b"authorization"]
    if not values:
        return ()
    try:
        (credentials,) = (value.decode() for value in values)
    except ValueError:  # more than one, or not UTF-8
        raise RequestMalformed(
            Translatable("Send the header Authorization once, in ASCII.")
        ) from None
    if not credentials.isprintable():
        raise RequestMalformed(
            Translatable("Send the header Authorization without control characters.")
        )
    scheme = credentials.partition(" ")[0]
    sent = scheme if scheme.lower() == "bearer" else credentials
    return ((b"authorization", sent.encode()),)
