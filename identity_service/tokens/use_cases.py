from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.clients.problems import ClientNotProven
from identity_service.clients.use_cases.authentication import require_assertion, require_secret
from identity_service.settings import Settings
from identity_service.tokens.access_token import access_token
from identity_service.tokens.schemas import TokenOut
from identity_service.tokens.signing_keys import SigningKeys


@dataclass(frozen=True)
class BySecret:
    client_id: str
    secret: str


@dataclass(frozen=True)
class ByAssertion:
    assertion: str
    client_id: str | None  # where the form names one too, it is the same


@dataclass(frozen=True)
class TokenDesk:
    """What is held open to give tokens; kept in `app.state.token_desk`."""

    settings: Settings
    keys: SigningKeys


async def give_token(
    session: AsyncSession, desk: TokenDesk, proof: BySecret | ByAssertion
) -> TokenOut:
    """RFC 6749 §4.4; raises ClientNotProven."""
    signer = await desk.keys.signer()  # before any query of this session: see SigningKeys
    if isinstance(proof, BySecret):
        if not desk.settings.sandbox:
            raise ClientNotProven(
                "Only a sandbox takes secrets: sign the request with the key of the client"
                " (private_key_jwt)."
            )
        client = await require_secret(session, proof.client_id, proof.secret)
    else:
        audiences = desk.settings.token_endpoints
        client = await require_assertion(session, proof.assertion, audiences=audiences)
        if proof.client_id not in {None, client.client_id}:
            raise ClientNotProven("client_id is not the client that signed the assertion.")
    lifetime = timedelta(seconds=desk.settings.token_seconds)
    token = access_token(
        client,
        signer,
        issuer=desk.settings.issuer,
        now=datetime.now(UTC),
        lifetime=lifetime,
    )
    return TokenOut(access_token=token, expires_in=desk.settings.token_seconds)
