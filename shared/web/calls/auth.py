"""The caller of a service and its right, both asserted by the gateway.

The gateway does not forward the access token, which the identity service signs. A service reads the
client and its agency from the headers that the call's MAC covers (`shared.web.calls.call_mac`), and
the right from a short-lived assertion signed by the gateway.
"""

import asyncio
import time
from http import HTTPStatus
from typing import Annotated, Any

import jwt
from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from httpx import AsyncClient, HTTPError
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.codes.time import unix_now
from shared.crypto.published_keys import KeysUnavailableError
from shared.crypto.signatures import HeldSignature, SignatureCache
from shared.texts.translatable import Translatable
from shared.web.calls.call_guard import PROVED_CALL
from shared.web.calls.call_mac import CallNotProved, ProvedCall
from shared.web.calls.internal_headers import RIGHT_HEADER, read_call_explanation
from shared.web.calls.rights import Right
from shared.web.problems import Problem, Unavailable

# A withdrawn key is trusted for at most this long, and so are the signatures made with it.
REFRESH_S = 300
# Keys stay trusted for so long while the key set cannot be fetched. Tokens live ten minutes, so a
# longer outage ends all of them anyway.
UNCONFIRMED_S = 900
RETRY_S = 10
UNKNOWN_KEY_S = 5
NO_KEYS_S = 1
FRESH_S = 0.25  # between two requests because of unknown keys
CLOCK_SKEW_S = 5  # between the clocks of the signer and this machine
MAX_LIFETIME_S = 600  # from iat to exp, because an assertion cannot be revoked
ALGORITHMS = ["ES256", "EdDSA"]
# The sum of grants, procedures, agencies and fields of one client for one operation.
MAX_RIGHT_CODES = 10_000
RIGHTS_ISSUER = "gateway"

FETCH_TOKEN = Translatable("Fetch a new token at /oauth/token.")
_NOT_OURS = Translatable("No key of this server has signed the token.")


class Unauthenticated(Problem):
    """The token is missing, malformed, forged, expired or of another issuer."""

    status = HTTPStatus.UNAUTHORIZED
    title = "A valid access token is required"
    type = "/problems/unauthenticated"
    advice = "Send `Authorization: Bearer <token>`; fetch a new token at /oauth/token."

    def __init__(self, detail: Translatable | None = None, *, presented: bool = True) -> None:
        """The challenge names the error only where a token was presented (RFC 6750 §3.1).

        `detail` is ASCII without quotation marks and backslashes.
        """
        super().__init__(detail)
        error = f' error="invalid_token", error_description="{self.detail}"' if presented else ""
        self.headers = {"WWW-Authenticate": f"Bearer{error}"}


class NotAllowed(Problem):
    """No right covers the call: `lacking` names the missing part, `at` the place of an agency."""

    status = HTTPStatus.FORBIDDEN
    title = "No right in force allows this"
    type = "/problems/not-allowed"
    advice = (
        "Ask the owner of the data for a wider grant; of administration, ask an operator of the "
        "mesh."
    )


class CallContext(BaseModel):
    """One call: the client, its agency, the right in force, and the stated purpose."""

    model_config = ConfigDict(frozen=True)

    client: str
    agency: str
    right: Right
    purpose: str | None
    dossier: str | None
    officer: str | None


class KeysUnavailable(Unavailable, KeysUnavailableError):  # noqa: N818 -- named as a problem
    """The keys that verify calls or events cannot be fetched now."""


class KeySet:
    """Public keys by `kid`, fetched when needed; known keys stay valid in a short outage."""

    def __init__(self, http: AsyncClient, url: str) -> None:
        self._http, self._url = http, url
        self._keys: dict[str, jwt.PyJWK] = {}
        self._requested_at = self._confirmed_at = self._read_at = float("-inf")
        self._refreshing = asyncio.Lock()

    async def get(self, kid: str) -> jwt.PyJWK | None:
        """Return the key or None; raise KeysUnavailable without a recent key set.

        A key that a new set repeats stays the same object.
        """
        if self._is_due(kid) and not self._serves_meanwhile(kid):
            async with self._refreshing:
                # The first caller may have refreshed the set while this one waited.
                if self._is_due(kid):
                    await self._refresh()
        if not self._is_confirmed():
            raise KeysUnavailable(
                Translatable("The keys that verify callers cannot be fetched now.")
            )
        return self._keys.get(kid)

    async def get_current(self, kid: str, since: float) -> jwt.PyJWK | None:
        """Return the key, or None if a set requested after `since` lacks it.

        `since` is a time of the monotonic clock. Raise KeysUnavailable without such a set.
        """
        if (key := await self.get(kid)) is not None:
            return key
        async with self._refreshing:
            if kid not in self._keys and self._read_at < since:
                await asyncio.sleep(self._requested_at + FRESH_S - time.monotonic())
                await self._refresh()
        key = self._keys.get(kid)
        if key is None and self._read_at < since:
            raise KeysUnavailable(
                Translatable("The key may be a new one, and the keys cannot be fetched now.")
            )
        return key

    def _is_confirmed(self) -> bool:
        return time.monotonic() - self._confirmed_at <= UNCONFIRMED_S

    def _serves_meanwhile(self, kid: str) -> bool:
        """Return whether to use the known key while another caller refreshes the set."""
        return self._refreshing.locked() and kid in self._keys and self._is_confirmed()

    def _is_due(self, kid: str) -> bool:
        """Return whether a request is due; an unknown key may be new, but requests are limited."""
        if kid not in self._keys:
            interval_s = UNKNOWN_KEY_S if self._keys else NO_KEYS_S
        elif self._requested_at > self._confirmed_at:
            interval_s = RETRY_S
        else:
            interval_s = REFRESH_S
        return time.monotonic() - self._requested_at > interval_s

    async def _refresh(self) -> None:
        begun_at = time.monotonic()
        try:
            response = await self._http.get(self._url)
            response.raise_for_status()
            keys = jwt.PyJWKSet.from_dict(response.json()).keys
        except (HTTPError, ValueError, jwt.PyJWTError):
            return
        finally:
            self._requested_at = time.monotonic()
        self._keys = {key.key_id: self._as_known(key) for key in keys if key.key_id}
        self._confirmed_at, self._read_at = self._requested_at, begun_at

    def _as_known(self, key: jwt.PyJWK) -> jwt.PyJWK:
        known = self._keys.get(str(key.key_id))
        same = known and (known.algorithm_name, known.key) == (key.algorithm_name, key.key)
        return known if known and same else key


class Verifier:
    """Verify signed assertions, and cache the valid ones, because callers repeat them.

    A cached assertion is valid only while its key is published. A withdrawn key is trusted for at
    most `REFRESH_S`, or `UNCONFIRMED_S` if the key set cannot be fetched.
    """

    def __init__(self, keys: KeySet, *, issuer: str, audience: str) -> None:
        self._keys, self._issuer, self._audience = keys, issuer, audience
        self._held = SignatureCache()

    async def claims(self, signed: str) -> dict[str, Any]:
        """Return the claims; raise Unauthenticated for a malformed, forged or expired assertion."""
        held = self._held.get(signed)
        if (
            held is not None
            and held.until > unix_now()
            and await self._keys.get(held.kid) is held.key
        ):
            return held.claims
        held = await self._verify(signed)
        self._held.keep(signed, held, now=unix_now())
        return held.claims

    async def _verify(self, signed: str) -> HeldSignature:
        try:
            kid = str(jwt.get_unverified_header(signed).get("kid"))
            key = await self._keys.get(kid)
            if key is None:
                raise Unauthenticated(Translatable.join_texts([_NOT_OURS, FETCH_TOKEN], " "))
            claims: dict[str, Any] = jwt.decode(
                signed,
                key,
                algorithms=ALGORITHMS,
                issuer=self._issuer,
                audience=self._audience,
                leeway=CLOCK_SKEW_S,
                options={"require": ["exp", "iat", "sub"]},
            )
        except jwt.InvalidTokenError as error:
            raise Unauthenticated(
                Translatable.join_texts([_explain_refusal(error), FETCH_TOKEN], " ")
            ) from None
        if claims["exp"] - claims["iat"] > MAX_LIFETIME_S + CLOCK_SKEW_S:
            raise Unauthenticated(
                Translatable(
                    "The token is valid for more than {count} seconds. {advice}",
                    count=MAX_LIFETIME_S,
                    advice=FETCH_TOKEN,
                )
            )
        return HeldSignature(kid, key, claims["exp"], claims)


def _explain_refusal(error: jwt.InvalidTokenError) -> Translatable:
    reasons = {
        jwt.ExpiredSignatureError: Translatable("The token has expired."),
        jwt.ImmatureSignatureError: Translatable("The token is not valid yet."),
        jwt.InvalidAlgorithmError: _NOT_OURS,
        jwt.InvalidAudienceError: Translatable("The token was issued for another audience."),
        jwt.InvalidIssuerError: Translatable("The token was issued by another server."),
        jwt.InvalidSignatureError: Translatable("The signature of the token is invalid."),
        jwt.MissingRequiredClaimError: Translatable(
            "The token lacks a claim that access tokens have."
        ),
    }
    return reasons.get(
        type(error), Translatable("The token is no JWT: send the access_token unchanged.")
    )


def read_bearer_token(authorization: str | None) -> str:
    """Return the token of an `Authorization: Bearer …` header; raise Unauthenticated."""
    scheme, _, token = (authorization or "").partition(" ")
    token = token.lstrip(" ")  # RFC 9110 §11.4 allows several spaces
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated(presented=False)
    return token


class CallerCheck:
    """Read the caller of a proved call; one instance is kept in `app.state.callers`."""

    def __init__(self, rights: Verifier) -> None:
        self._rights = rights

    async def check(self, request: Request) -> CallContext:
        """Return the caller; raise CallNotProved without proof, NotAllowed for another right."""
        call: ProvedCall | None = request.scope.get(PROVED_CALL)
        if call is None or call.client is None or call.agency is None:
            raise CallNotProved
        headers = request.headers
        try:
            right = Right.model_validate(await self._rights.claims(headers.get(RIGHT_HEADER, "")))
        except (Unauthenticated, ValidationError):
            raise CallNotProved from None
        if right.sub != call.client or right.operation != _name_operation(request):
            raise NotAllowed(Translatable("The asserted right is not for this call."))
        explanation = read_call_explanation(headers)
        return CallContext(
            client=call.client,
            agency=call.agency,
            right=right,
            purpose=explanation.purpose,
            dossier=explanation.dossier,
            officer=explanation.officer,
        )


def _name_operation(request: Request) -> str:
    return f"{request.method} {request.scope['route'].path}"


class _CallerScheme(SecurityBase):
    """The dependency that reads the caller, described in OpenAPI as requiring an access token."""

    model = HTTPBearer(bearerFormat="JWT")
    scheme_name = "token"

    async def __call__(self, request: Request) -> CallContext:
        check: CallerCheck = request.app.state.callers
        return await check.check(request)


Caller = Annotated[CallContext, Depends(_CallerScheme())]
