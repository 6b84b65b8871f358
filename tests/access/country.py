"""The real gateway before the real services, each on a database of its own, in this process."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from deploy.services import SERVICES
from gateway.operations.model import Operation, Service
from gateway.operations.table import OPERATIONS
from identity_service.sandbox.clients import derive_grant_id, read_sandbox_clients, read_secrets
from identity_service.sandbox.personas import read_personas
from identity_service.settings import Settings
from shared.codes.time import utc_now
from shared.events import ClientChanged, GrantChanged
from shared.web.calls.call_guard import PROVED_CALL
from shared.web.calls.call_mac import NO_BODY, ProvedCall
from sync_service.agencies.projections import upsert_agencies, upsert_procedures
from tests.conftest import Databases
from tests.support.factories import ProvingTransport, TestAuthority
from tests.support.gateway_harness import (
    Gate,
    Services,
    make_agency,
    make_client,
    make_grant,
    make_procedure,
    open_gate,
    signing_rights,
)
from tests.support.installation import NO_KEYS, Installation, Sent, install
from tests.support.serving import serving
from tests.support.waiting import eventually

# "Ours" is Hà Nội's, "theirs" is that of Hồ Chí Minh City.
OURS, THEIRS = "H26", "H29"
BIRTH, COPY = "1.001193", "2.000815"
OPERATORS = ("operator-vpcp", "operator2-vpcp")


@dataclass
class Papers:
    """What callers show, of which some holds and some does not."""

    authority: TestAuthority

    def token(self, client: str, agency: str = OURS, **over: Any) -> str:
        """Signed with the key of the identity service; `over` replaces claims."""
        return self.authority.token(client, agency, **over)

    def signed_by_somebody(self, signed: str) -> str:
        """The same claims, in the name of the same key, with the signature of another one."""
        kid, algorithm = (jwt.get_unverified_header(signed)[name] for name in ("kid", "alg"))
        keys: dict[str, Any] = {
            "ES256": generate_private_key(SECP256R1()),
            "EdDSA": Ed25519PrivateKey.generate(),
        }
        claims = jwt.decode(signed, options={"verify_signature": False})
        return jwt.encode(claims, keys[algorithm], algorithm, {"kid": kid})

    def unsigned(self, signed: str) -> str:
        """The same claims, by an "algorithm" that signs nothing."""
        claims = jwt.decode(signed, options={"verify_signature": False})
        return jwt.encode(claims, "", "none", {"kid": jwt.get_unverified_header(signed)["kid"]})

    def right(self, client: str, operation: Operation, /, **over: Any) -> str:
        """Signed with the key of the gateway, of no limit; `over` replaces claims."""
        audience = next(n for n, each in SERVICES.items() if each.short == operation.service)
        claims = {"client": client, "operation": operation.name, "audience": audience}
        return self.authority.right(**(claims | over))


@dataclass
class Country(Papers):
    """`ask` goes through the gateway, `ask_service` past it, to the service itself.

    `sent` holds what the gateway has sent to the services.
    """

    gate: Gate
    apps: Mapping[str, FastAPI]
    sent: deque[Sent]

    @property
    def identity(self) -> Settings:
        settings: Settings = self.apps["identity"].state.settings
        return settings

    @property
    def secrets(self) -> Mapping[str, str]:
        """The secrets of the sandbox clients, by their id."""
        assert self.identity.sandbox_file
        return read_secrets(self.identity.sandbox_file)

    async def ask(
        self,
        method: str,
        path: str,
        headers: Sequence[tuple[str, str]],
        *,
        address: str = "127.0.0.1",
        **sent: Any,
    ) -> httpx.Response:
        raw = [(name.encode(), value.encode()) for name, value in headers]
        transport = httpx.ASGITransport(self.gate.gateway, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
            return await http.request(method, path, headers=raw, **sent)

    async def ask_service(
        self,
        operation: Operation,
        path: str,
        headers: Mapping[str, str],
        *,
        proved: bool = True,
        **sent: Any,
    ) -> httpx.Response:
        """`proved` as the gateway proves it, its own operations in the same process."""
        app = self.apps[operation.service]
        if proved and operation.service is not Service.GATEWAY:
            transport: httpx.ASGITransport = ProvingTransport(app)
        else:
            asked = _proved_within(app) if proved else cast("ASGIApp", app)
            transport = httpx.ASGITransport(asked, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
            return await http.request(operation.method, path, headers=dict(headers), **sent)

    async def allow(self, client: str, *grants: Mapping[str, Any], **of_client: Any) -> None:
        """Register a client at the gateway, with grants of all operations unless they say less."""
        every = {"operations": list(OPERATIONS), "agencies": None}
        given: list[GrantChanged] = [make_grant(client, **(every | dict(g))) for g in grants]
        told: ClientChanged = make_client(client, **of_client)
        await self.gate.tell(told, *given)

    async def as_operator(
        self, operation: str, path: str, *, client: str = "operator-vpcp", **sent: Any
    ) -> httpx.Response:
        """What prepares a test: by the operator, who may do everything; it must succeed."""
        headers = {
            "Authorization": f"Bearer {self.token(client, 'G22')}",
            "X-Purpose": BIRTH,
            "X-Officer": "operator-1",
        } | sent.pop("headers", {})
        method = operation.partition(" ")[0]
        answer = await self.ask(method, path, list(headers.items()), **sent)
        assert answer.is_success, answer.text
        return answer


def _proved_within(app: ASGIApp) -> ASGIApp:
    async def ask(scope: Scope, receive: Receive, send: Send) -> None:
        told = {name.decode(): value.decode() for name, value in scope["headers"]}
        call = ProvedCall(told.get("x-client"), told.get("x-agency"), NO_BODY, b"")
        await app({**scope, PROVED_CALL: call}, receive, send)

    return ask


@asynccontextmanager
async def open_country(
    postgres: Databases, sandbox: Path, keys: Mapping[str, Mapping[str, Any]] = NO_KEYS
) -> AsyncIterator[Country]:
    """Open a new installation with two operators."""
    made = await asyncio.to_thread(install, postgres, sandbox, keys)
    of_gateway = {"sandbox": True, **keys.get("gateway", {})}
    async with open_installed(postgres, made, **of_gateway) as country:
        for operator in OPERATORS:
            await country.allow(operator, {"operations": ["*"]}, agency="G22")
        yield country


@asynccontextmanager
async def open_installed(
    postgres: Databases, made: Installation, *, ready: bool = True, **settings: Any
) -> AsyncIterator[Country]:
    """Open the gateway with these settings before the services; `ready` is that of `open_gate`."""
    database, settings = postgres.migrated_url("gateway"), {**made.behind, **settings}
    async with (
        made.serving(),
        open_gate(database, Services(), ready=ready, **settings) as gate,
        serving(gate.gateway, made.ports["gateway"]),
    ):
        services = made.services
        tokens = await services["identity"].state.token_resources.keys.select_signer(utc_now())
        authority = TestAuthority((tokens.kid, tokens.key), signing_rights(gate.settings))
        yield Country(authority, gate, {**services, "gateway": gate.gateway.local_app}, made.sent)


@asynccontextmanager
async def open_sandbox(postgres: Databases, file: Path) -> AsyncIterator[Country]:
    """Open a new installation, whose gateway has consumed the rights of the sandbox clients.

    The national view knows the agency and the procedure of the pushed examples.
    """
    async with open_country(postgres, file) as country:
        for name, client in read_sandbox_clients().items():
            grants = [
                {**grant.model_dump(), "grant_id": derive_grant_id(name, number)}
                for number, grant in enumerate(client.grants)
            ]
            await country.allow(name, *grants, agency=client.agency)
        async with country.apps["sync"].state.sessions.begin() as session:
            await upsert_agencies(session, [make_agency("H41")])
            await upsert_procedures(session, [make_procedure(BIRTH)])
        # A service answers 503 for a second after it could not fetch the keys of the gateway.
        for path in ("/identity/v1/agencies", "/dossier/v1/procedures", "/sync/v1/indicators"):
            await eventually(partial(country.as_operator, "GET", path))
        yield country


def verification() -> dict[str, object]:
    known = read_personas()["match"]
    return {
        "personal_number": known.personal_number,
        "full_name": known.full_name,
        "birth_date": known.birth_date,
    }
