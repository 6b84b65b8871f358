"""The real gateway before the real services, each on a database of its own, in this process."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import uuid4

import httpx
import jwt
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI

import dossier_service.main
import dossier_service.settings
import identity_service.main
import identity_service.settings
import sync_service.main
import sync_service.settings
from deploy.ports import free_port
from dossier_service.catalogue import own_procedures
from dossier_service.use_cases.catalogue import begin
from gateway.keys import RightsSigner, read_private_key
from gateway.upstreams import OPERATIONS, Operation
from identity_service.keys import ALGORITHM, Signer
from identity_service.people.personas import personas
from identity_service.seed import seed
from shared.app import AUDIENCE
from shared.auth import RIGHTS_ISSUER
from shared.events import ClientChanged, GrantChanged
from shared.migrations import upgrade
from shared.settings import ServiceSettings
from tests.conftest import Databases
from tests.factories import ISSUER
from tests.gateway.mesh import Mesh, Services, make_client, make_grant, open_mesh
from tests.gateway.wire import serving

PERSON_KEY = "5b" * 32
# "Ours" is Hà Nội's, "theirs" is that of Hồ Chí Minh City.
OURS, THEIRS = "H26", "H29"
BIRTH, COPY = "1.001193", "2.000815"


@dataclass
class Country:
    """`ask` goes through the gateway, `ask_service` past it, to the service itself."""

    mesh: Mesh
    apps: Mapping[str, FastAPI]
    addresses: Mapping[str, str]
    signer: Signer
    sandbox: identity_service.settings.Settings

    @cached_property
    def rights_key(self) -> RightsSigner:
        return RightsSigner(read_private_key("rights_key", self.mesh.settings.rights_key))

    def token(self, client: str, agency: str = OURS, **over: Any) -> str:
        """Signed with the key of the identity service; `over` replaces claims."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": client,
            "agency": agency,
            "kind": "sandbox",
            "iat": now,
            "exp": now + 300,
            "jti": uuid4().hex,
        }
        return jwt.encode(claims | over, self.signer.key, ALGORITHM, {"kid": self.signer.kid})

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
        """As the gateway signs it, of no limit; `over` replaces claims."""
        now = int(time.time())
        claims = {
            "iss": RIGHTS_ISSUER,
            "aud": self.apps[operation.service].state.settings.name,
            "sub": client,
            "operation": operation.name,
            "grants": [str(uuid4())],
            "procedures": None,
            "fields": None,
            "agencies": None,
            "iat": now,
            "exp": now + 60,
        }
        key = self.rights_key._key
        return jwt.encode(claims | over, key, "EdDSA", {"kid": self.rights_key.kid})

    async def ask(
        self, method: str, path: str, headers: Sequence[tuple[str, str]], **sent: Any
    ) -> httpx.Response:
        raw = [(name.encode(), value.encode()) for name, value in headers]
        return await self.mesh.http.request(method, path, headers=raw, **sent)

    async def ask_service(
        self, operation: Operation, path: str, headers: Mapping[str, str], **sent: Any
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self.apps[operation.service], raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
            return await http.request(operation.method, path, headers=dict(headers), **sent)

    async def allow(self, client: str, *grants: Mapping[str, Any], **of_client: Any) -> None:
        """Register a client at the gateway, with grants of all operations unless they say less."""
        every = {"operations": list(OPERATIONS), "agencies": None}
        given: list[GrantChanged] = [make_grant(client, **(every | dict(g))) for g in grants]
        told: ClientChanged = make_client(client, **of_client)
        await self.mesh.tell(told, *given)

    async def as_operator(self, operation: str, path: str, **sent: Any) -> httpx.Response:
        """What prepares a test: by the operator, who may do everything; it must succeed."""
        headers = {
            "Authorization": f"Bearer {self.token('operator-vpcp', 'G22')}",
            "X-Purpose": BIRTH,
            "X-Officer": "operator-1",
        } | sent.pop("headers", {})
        method = operation.partition(" ")[0]
        answer = await self.ask(method, path, list(headers.items()), **sent)
        assert answer.is_success, answer.text
        return answer


async def _fill_catalogue(app: FastAPI) -> None:
    async with app.state.sessions.begin() as session:
        await begin(session, own_procedures(), None, now=datetime(2026, 1, 5, tzinfo=UTC))


@asynccontextmanager
async def open_country(postgres: Databases, sandbox: Any) -> AsyncIterator[Country]:
    gateway_port = free_port()
    made = _settings(postgres, f"http://127.0.0.1:{gateway_port}", sandbox)
    async with AsyncExitStack() as stack:
        apps: dict[str, FastAPI] = {}
        addresses: dict[str, Any] = {}
        for settings in made.values():
            await asyncio.to_thread(upgrade, settings)
        # The identity service is asked for its keys by the others.
        identity_settings = made["identity"]
        assert isinstance(identity_settings, identity_service.settings.Settings)
        await seed(identity_settings)
        for name, app in _apps(made).items():
            await stack.enter_async_context(app.router.lifespan_context(app))
            port = await stack.enter_async_context(serving(app, made[name].port))
            apps[name], addresses[f"{name}_url"] = app, f"http://127.0.0.1:{port}"
        await _fill_catalogue(apps["dossier"])
        mesh = await stack.enter_async_context(
            open_mesh(postgres.database_url("gateway"), Services(), **addresses)
        )
        await stack.enter_async_context(serving(mesh.gateway, gateway_port))
        apps["gateway"] = mesh.gateway.own
        signer = await apps["identity"].state.token_desk.keys.signer()
        country = Country(mesh, apps, addresses, signer, identity_settings)
        await country.allow("operator-vpcp", {"operations": ["*"]}, agency="G22")
        yield country


def _settings(postgres: Databases, gateway_url: str, sandbox: Any) -> dict[str, ServiceSettings]:
    identity_port = free_port()
    common = {
        "kafka_servers": "127.0.0.1:1",
        "gateway_url": gateway_url,
        "identity_url": f"http://127.0.0.1:{identity_port}",
        "person_hash_key": PERSON_KEY,
    }

    def of(name: str, **own: Any) -> dict[str, Any]:
        return common | {"database_url": postgres.database_url(name)} | own

    identity = of(
        "identity_service",
        port=identity_port,
        key_encryption_key=Fernet.generate_key().decode(),
        people=0,
        sandbox_file=sandbox,
    )
    return {
        "identity": identity_service.settings.Settings.model_validate(identity),
        "dossier": dossier_service.settings.Settings.model_validate(
            of("dossier_service", port=free_port())
        ),
        "sync": sync_service.settings.Settings.model_validate(of("sync_service", port=free_port())),
    }


def _apps(made: Mapping[str, Any]) -> dict[str, FastAPI]:
    return {
        "identity": identity_service.main.create_app(made["identity"]),
        "dossier": dossier_service.main.create_app(made["dossier"]),
        "sync": sync_service.main.create_app(made["sync"]),
    }


def verification() -> dict[str, object]:
    known = personas()["match"]
    return {
        "personal_number": known.personal_number,
        "full_name": known.full_name,
        "birth_date": known.birth_date,
    }
