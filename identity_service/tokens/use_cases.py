from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.clients.problems import ClientNotProven
from identity_service.clients.use_cases.authentication import require_assertion, require_secret
from identity_service.settings import Settings
from identity_service.tokens.access_token import sign_access_token
from identity_service.tokens.schemas import TokenOut
from identity_service.tokens.signing_keys import SigningKeys
from shared.texts.translatable import Translatable


@dataclass(frozen=True)
class BySecret:
    client_id: str
    secret: str


@dataclass(frozen=True)
class ByAssertion:
    assertion: str
    client_id: str | None  # the form may repeat the client of the assertion


@dataclass(frozen=True)
class TokenResources:
    """Hold the settings and the signing keys that issue tokens."""

    settings: Settings
    keys: SigningKeys


async def issue_token(
    session: AsyncSession,
    resources: TokenResources,
    proof: BySecret | ByAssertion,
    *,
    now: datetime,
) -> TokenOut:
    """Issue a token for client credentials (RFC 6749 §4.4); raise ClientNotProven."""
    # A reload of the keys needs a connection, so it precedes the first query of this session.
    signer = await resources.keys.select_signer(now)
    if isinstance(proof, BySecret):
        if not resources.settings.sandbox:
            raise ClientNotProven(
                Translatable(
                    "Only a sandbox accepts secrets: sign the request with the key of the client "
                    "(private_key_jwt)."
                )
            )
        client = await require_secret(session, proof.client_id, proof.secret)
    else:
        audiences = resources.settings.token_audiences
        client = await require_assertion(session, proof.assertion, audiences=audiences, now=now)
        if proof.client_id not in {None, client.client_id}:
            raise ClientNotProven(
                Translatable(
                    "Leave client_id out, or send the id of the client that signed the assertion."
                )
            )
    lifetime = timedelta(seconds=resources.settings.token_seconds)
    token = sign_access_token(
        client,
        signer,
        issuer=resources.settings.issuer,
        now=now,
        lifetime=lifetime,
    )
    return TokenOut(access_token=token, expires_in=resources.settings.token_seconds)
