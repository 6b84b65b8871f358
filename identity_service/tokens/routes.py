"""Issue tokens and publish the keys that verify them; only these routes need no token."""

import base64
import binascii
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from identity_service.clients.jwk import SIGNING_ALGORITHMS
from identity_service.clients.problems import ClientNotProven, TokenRefused
from identity_service.dependencies import SettingsDep
from identity_service.tokens.dependencies import TokenResourcesDep
from identity_service.tokens.problems import GrantTypeUnsupported, TokenRequestMalformed
from identity_service.tokens.schemas import ServerMetadata, TokenOut
from identity_service.tokens.signing_keys import JWKS_S
from identity_service.tokens.use_cases import ByAssertion, BySecret, issue_token
from shared.texts.languages import read_language
from shared.texts.translatable import Translatable
from shared.web.bodies.strict_parsing import Router
from shared.web.dependencies import Now, Session
from shared.web.problems import build_traced_body, name_language
from shared.web.published import PublishedKeySet, PublishedPage

router = Router(tags=["tokens"])

FORM = "application/x-www-form-urlencoded"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_WAYS = Translatable(
    "send client_assertion with client_assertion_type, or, in the sandbox, HTTP Basic or client_id"
    " with client_secret."
)
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
MAX_FIELDS, MAX_BYTES = 20, 16_384


_TEXT: dict[str, Any] = {"type": "string"}
# A form field without a value counts as left out (RFC 6749 §3.2).
_VALUE = _TEXT | {"minLength": 1}
_PROOFS = ("client_assertion", "client_assertion_type", "client_secret")


def _build_form_schema(title: str, required: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a form with one kind of proof, which excludes the fields of others."""
    grant = {"grant_type": _TEXT | {"const": "client_credentials"}}
    others = [name for name in _PROOFS if name not in required]
    return {
        "title": title,
        "type": "object",
        "required": [*grant, *required],
        "properties": {**grant, "client_id": _TEXT, **required},
        "propertyNames": {"not": {"enum": others}},
        "additionalProperties": _TEXT,
        "maxProperties": MAX_FIELDS,
    }


_MISTAKE = {
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["error", "error_description"],
                "properties": dict.fromkeys(("error", "error_description", "trace_id"), _TEXT),
            }
        }
    }
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The form cannot be read (RFC 6749 §5.2)"} | _MISTAKE,
    401: {"description": "The client has not proven its identity (RFC 6749 §5.2)"} | _MISTAKE,
}
# FastAPI needs another package to read a form; this one is read below and described here.
FORM_SCHEMA: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "oneOf": [
                        _build_form_schema(
                            "private_key_jwt",
                            {
                                "client_assertion_type": _TEXT | {"const": JWT_BEARER},
                                "client_assertion": _VALUE,
                            },
                        ),
                        _build_form_schema(
                            "client_secret_post", {"client_id": _VALUE, "client_secret": _VALUE}
                        ),
                        _build_form_schema("client_secret_basic", {}),
                    ]
                }
            }
        },
    }
}


@router.post("/oauth/token", openapi_extra=FORM_SCHEMA, responses=REFUSALS)
async def issue_oauth_token(
    *,
    request: Request,
    response: Response,
    resources: TokenResourcesDep,
    session: Session,
    now: Now,
) -> TokenOut:
    """Get an access token.

    Issue a token to a client (RFC 6749 §4.4), valid for `expires_in` seconds. The client proves
    itself by a signed JWT (`private_key_jwt`, RFC 7523) or, in a sandbox only, by its secret. A
    `jti` can be used once.
    """
    form = _parse_form(request.headers.get("Content-Type", ""), await request.body())
    if "grant_type" not in form:
        raise TokenRequestMalformed(Translatable("Send grant_type=client_credentials."))
    if form["grant_type"] != "client_credentials":
        raise GrantTypeUnsupported
    proof = _read_proof(form, request.headers.get("Authorization"))
    answer = await issue_token(session, resources, proof, now=now)
    response.headers.update(NO_STORE)
    return answer


@router.get("/.well-known/jwks.json", response_model=PublishedKeySet)
async def read_token_keys(request: Request, resources: TokenResourcesDep) -> Response:
    """Read the keys that verify access tokens.

    Return the JWKS (RFC 7517) of the keys that sign access tokens. New keys appear here before they
    sign.
    """
    keys = {"keys": await resources.keys.list_public_keys()}
    return PublishedPage.of_json(keys, seconds=JWKS_S).respond(request)


@router.get("/.well-known/oauth-authorization-server", response_model=ServerMetadata)
async def read_server_metadata(request: Request, settings: SettingsDep) -> Response:
    """Read the metadata of the token endpoint.

    Describe the token endpoint (RFC 8414) at the address of the gateway that was called. `issuer`
    is that address, which a client names as `aud` of its signed JWTs.
    """
    issuer = settings.find_issuer(request.headers.get("X-Forwarded-Host"))
    about = {
        "issuer": issuer,
        "token_endpoint": f"{issuer}/oauth/token",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "grant_types_supported": ["client_credentials"],
        # The member is required and must not be empty, though there is no authorization endpoint.
        "response_types_supported": ["none"],
        "token_endpoint_auth_methods_supported": [
            "private_key_jwt",
            *(("client_secret_basic", "client_secret_post") if settings.sandbox else ()),
        ],
        "token_endpoint_auth_signing_alg_values_supported": SIGNING_ALGORITHMS,
    }
    return PublishedPage.of_json(about, seconds=JWKS_S).respond(request)


def _parse_form(content_type: str, body: bytes) -> Mapping[str, str]:
    if content_type.partition(";")[0].strip().lower() != FORM:
        raise TokenRequestMalformed(
            Translatable("Send the request as {media_type}.", media_type=FORM)
        )
    if len(body) > MAX_BYTES:
        raise TokenRequestMalformed(Translatable("Send at most {count} bytes.", count=MAX_BYTES))
    try:
        fields = parse_qsl(body.decode("ascii"), max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise TokenRequestMalformed(
            Translatable("The form cannot be read; encode it as UTF-8.")
        ) from None
    form = dict(fields)
    if len(form) < len(fields):
        raise TokenRequestMalformed(Translatable("Send each field once."))
    return form


def _read_proof(form: Mapping[str, str], authorization: str | None) -> BySecret | ByAssertion:
    by_header, by_form = authorization is not None, "client_secret" in form
    by_assertion = "client_assertion" in form or "client_assertion_type" in form
    proofs = by_header + by_form + by_assertion
    if proofs == 0:
        raise ClientNotProven(Translatable("The request proves no client: {ways}", ways=_WAYS))
    if proofs > 1:
        raise TokenRequestMalformed(Translatable("Prove the client in one way: {ways}", ways=_WAYS))
    if authorization is not None:
        proof = _parse_basic(authorization)
        if form.get("client_id", proof.client_id) != proof.client_id:
            raise TokenRequestMalformed(
                Translatable("Name one client: client_id differs from that of Basic.")
            )
        return proof
    if by_form:
        if "client_id" not in form:
            raise TokenRequestMalformed(Translatable("Send client_id with client_secret."))
        return BySecret(form["client_id"], form["client_secret"])
    if not {"client_assertion", "client_assertion_type"} <= form.keys():
        raise TokenRequestMalformed(
            Translatable(
                "Send client_assertion with client_assertion_type {type}.",
                type=JWT_BEARER,
            )
        )
    if form["client_assertion_type"] != JWT_BEARER:
        raise ClientNotProven(
            Translatable(
                "Send client_assertion_type {type}; no other type proves a client.",
                type=JWT_BEARER,
            )
        )
    return ByAssertion(form["client_assertion"], form.get("client_id"))


def _parse_basic(authorization: str) -> BySecret:
    """Return the secret of HTTP Basic, of which both halves are form-encoded (RFC 6749 §2.3.1)."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        # RFC 9110 §11.4 allows several spaces.
        decoded = base64.b64decode(encoded.lstrip(" "), validate=True).decode()
    except (ValueError, binascii.Error):
        decoded = ""
    client_id, colon, secret = decoded.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise ClientNotProven(
            Translatable("Send the Authorization `Basic` with client_id:client_secret in base64.")
        )
    return BySecret(unquote_plus(client_id), unquote_plus(secret))


async def answer_oauth_error(request: Request, error: Exception) -> JSONResponse:
    """Answer as application/json, which OAuth libraries expect of this endpoint."""
    assert isinstance(error, TokenRefused)
    language = read_language(request.scope)
    headers = dict(error.headers or {}) | NO_STORE | name_language(language)
    return JSONResponse(build_traced_body(error, language), HTTPStatus(error.status), headers)
