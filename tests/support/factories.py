"""What tests need made: sensible values, of which a test overrides what matters to it."""

import time
from collections.abc import Collection
from typing import Any
from uuid import uuid4

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from jwt.algorithms import ECAlgorithm, OKPAlgorithm
from pydantic import SecretStr

from shared.runtime.app import AUDIENCE
from shared.settings import ServiceSettings
from shared.web.calls.auth import RIGHTS_ISSUER, CallerCheck, KeySet, Verifier
from shared.web.calls.call_mac import (
    HEADER,
    NO_BODY,
    CallParts,
    CallVerifier,
    hash_body,
    read_challenge,
    sign_call,
)
from shared.web.calls.internal_headers import RIGHT_HEADER

ISSUER = str(ServiceSettings.model_fields["issuer"].default)
CALL_KEY = SecretStr("ca" * 32)
DIGEST_KEY = SecretStr("d1" * 32)
TOKEN_KEY, RIGHT_KEY = "test-token-key", "test-right-key"


class TestAuthority:
    """Signs what the identity service and the gateway sign, with keys of its own or with theirs.

    Of its own it serves the JWKS; `install(app)`, once the app's lifespan has begun, makes a
    service believe it. Calls are proved on their way, by `ProvingTransport` below.
    """

    __test__ = False

    def __init__(
        self,
        token: tuple[str, EllipticCurvePrivateKey] | None = None,
        right: tuple[str, Ed25519PrivateKey] | None = None,
    ) -> None:
        self._token_kid, self._token_key = token or (TOKEN_KEY, generate_private_key(SECP256R1()))
        self._right_kid, self._right_key = right or (RIGHT_KEY, Ed25519PrivateKey.generate())

    def token(self, client: str = "onestop-h26", agency: str = "H26", **over: Any) -> str:
        """An access token of five minutes; `over` replaces claims (`exp`, `iss`, `aud` …)."""
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
        return jwt.encode(claims | over, self._token_key, "ES256", {"kid": self._token_kid})

    def right(
        self,
        client: str,
        operation: str,
        audience: str,
        *,
        procedures: Collection[str] | None = None,
        fields: Collection[str] | None = None,
        agencies: Collection[str] | None = None,
        **over: Any,
    ) -> str:
        """`operation` as `POST /identity/v1/grants`; `audience` is the service's package name."""
        now = int(time.time())
        claims = {
            "iss": RIGHTS_ISSUER,
            "aud": audience,
            "sub": client,
            "operation": operation,
            "grants": [str(uuid4())],
            "procedures": None if procedures is None else sorted(procedures),
            "fields": None if fields is None else sorted(fields),
            "agencies": None if agencies is None else sorted(agencies),
            "iat": now,
            "exp": now + 60,
        }
        return jwt.encode(claims | over, self._right_key, "EdDSA", {"kid": self._right_kid})

    def headers(
        self,
        operation: str,
        audience: str,
        *,
        client: str = "onestop-h26",
        agency: str = "H26",
        purpose: str | None = "1.001193",
        officer: str | None = "officer-1",
        dossier: str | None = None,
        **right: Any,
    ) -> dict[str, str]:
        """Of one call as the gateway passes it on; `right` goes to `right()`."""
        headers = {
            "X-Client": client,
            "X-Agency": agency,
            RIGHT_HEADER: self.right(client, operation, audience, **right),
            "X-Purpose": purpose,
            "X-Officer": officer,
            "X-Dossier": dossier,
        }
        return {name: value for name, value in headers.items() if value is not None}

    def install(self, app: FastAPI) -> None:
        settings: ServiceSettings = app.state.settings
        # A double at the wire only: the service parses and checks these keys as any others.
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._keys))
        keys = KeySet(http, "http://gateway/right-keys.json")
        app.state.callers = CallerCheck(
            Verifier(keys, issuer=RIGHTS_ISSUER, audience=settings.name)
        )

    def _keys(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "identity":
            key = ECAlgorithm.to_jwk(self._token_key.public_key(), as_dict=True)
            return _key_set(key, kid=self._token_kid, alg="ES256")
        key = OKPAlgorithm.to_jwk(self._right_key.public_key(), as_dict=True)
        return _key_set(key, kid=self._right_kid, alg="EdDSA")


def prove_call(request: httpx.Request, calls: CallVerifier) -> bytes:
    """Add the code by which the gateway proves a call to the process that has `calls`.

    Return the epoch in which the code is good.
    """
    epoch = calls.epoch.encode()
    target = request.url.raw_path
    body = request.content
    call = CallParts(
        request.method, target, uuid4().hex.encode(), hash_body(body) if body else NO_BODY
    )
    headers = [(name.lower(), value) for name, value in request.headers.raw]
    value, _ = sign_call(calls._key, call, headers, epoch)
    request.headers[HEADER.decode()] = value.decode()
    return epoch


class ProvingTransport(httpx.ASGITransport):
    """Call a service in this process as the gateway does: each call is proved.

    A service that names another epoch has done nothing yet, so it is called once more.
    """

    def __init__(self, service: FastAPI, *, raise_app_exceptions: bool = False) -> None:
        super().__init__(service, raise_app_exceptions=raise_app_exceptions)
        self._service = service

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        epoch = prove_call(request, self._service.state.calls)
        response = await super().handle_async_request(request)
        if _names_other_epoch(response, epoch):
            prove_call(request, self._service.state.calls)
            response = await super().handle_async_request(request)
        return response


def _names_other_epoch(response: httpx.Response, epoch: bytes) -> bool:
    challenge = response.headers.get("WWW-Authenticate", "").encode()
    return read_challenge(challenge) not in {None, b"", epoch}


def _key_set(key: dict[str, Any], *, kid: str, alg: str) -> httpx.Response:
    return httpx.Response(200, json={"keys": [key | {"kid": kid, "alg": alg, "use": "sig"}]})
