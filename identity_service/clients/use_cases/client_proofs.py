"""Verify the proof by which a client adds or removes its own key, or ends its own access.

The proof is a JWT of the type `client-act+jwt`, signed with a key that the client has registered.
Its claims are `sub` (the client), `aud` (this server), `act`, `iat`, `jti` and, for an act on a
key, `jkt`: the thumbprint (RFC 7638) of the key that is added or removed. It can be used once,
within five minutes.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.clients import repository
from identity_service.clients.models import Client
from identity_service.clients.problems import ClientNotProven, ProofRefused
from identity_service.clients.signed_claims import (
    MAX_REQUEST_S,
    Audience,
    Claims,
    NumericDate,
    TokenId,
    read_signed_jwt,
    require_audience,
    verify_signature,
)
from shared.texts.translatable import Translatable

PROOF_TYPE = "client-act+jwt"
MAX_PROOF_AGE_S = 300
SKEW_S = 30


class ClientAct(StrEnum):
    ADD_KEY = "add-key"
    REMOVE_KEY = "remove-key"
    DEACTIVATE = "deactivate"


class _ProofClaims(Claims):
    sub: str = Field(description=Translatable("the client id"))
    aud: Audience = Field(description=Translatable("the issuer"))
    act: ClientAct = Field(
        strict=False, description=Translatable("add-key, remove-key or deactivate")
    )
    iat: NumericDate = Field(description=Translatable("a number of seconds since 1970"))
    jti: TokenId = Field(description=Translatable("new each time"))
    jkt: str | None = Field(None, description=Translatable("the thumbprint of the key"))


async def require_proof(
    session: AsyncSession,
    client: Client,
    proof: str,
    *,
    act: ClientAct,
    thumbprint: str | None,
    audiences: Sequence[str],
    now: datetime,
) -> None:
    """Raise ProofRefused unless the client signed this act lately, in a proof not used before."""
    try:
        signed = read_signed_jwt(proof, _ProofClaims)
        claims = signed.claims
        if signed.type != PROOF_TYPE:
            raise ProofRefused(Translatable("Set typ of the proof to {type}.", type=PROOF_TYPE))
        key = await repository.find_client_key(session, client.client_id, signed.kid)
        verify_signature(signed, key.jwk if key else None)
        require_audience(claims.aud, audiences)
    except ClientNotProven as error:
        raise ProofRefused(error.detail) from None
    if (claims.sub, claims.act, claims.jkt) != (client.client_id, act, thumbprint):
        raise ProofRefused(
            Translatable(
                "The proof is for another act: set sub to the client, act to that of the "
                "request, and jkt to the thumbprint of the key that it adds or removes."
            )
        )
    age_s = now.timestamp() - claims.iat
    if not client.active or not -SKEW_S <= age_s <= MAX_PROOF_AGE_S:
        raise ProofRefused(
            Translatable("Sign a proof for an active client, and send it within five minutes.")
        )
    expires_at = datetime.fromtimestamp(claims.iat + MAX_PROOF_AGE_S + MAX_REQUEST_S, UTC)
    if not await repository.record_assertion(session, client.client_id, claims.jti, expires_at):
        raise ProofRefused(
            Translatable("This proof was used before; sign a new one with a new jti.")
        )
