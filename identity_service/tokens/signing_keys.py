"""Create, publish and rotate the keys that sign access tokens."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm
from pydantic import SecretStr
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.tokens.models import SigningKey
from shared.codes.time import utc_now
from shared.crypto.thumbprint import compute_thumbprint
from shared.database.errors import is_outage
from shared.database.locks import SIGNING_KEY_ROTATION
from shared.database.session import SessionFactory

ALGORITHM = "ES256"
JWKS_S = 300  # others may cache the key set so long
LEAD = timedelta(seconds=2 * JWKS_S)
_RELOAD_S = 30.0


@dataclass(frozen=True, slots=True)
class Signer:
    kid: str
    key: EllipticCurvePrivateKey
    jwk: dict[str, str]
    signs_from: datetime


class SigningKeys:
    """Cache the decrypted signing keys for half a minute, and during a database outage."""

    def __init__(self, sessions: SessionFactory, key_encryption_key: SecretStr) -> None:
        self._sessions = sessions
        self._cipher = Fernet(key_encryption_key.get_secret_value())
        self._signers: Sequence[Signer] = ()
        self._loaded_at = float("-inf")
        self._loading = asyncio.Lock()

    async def select_signer(self, now: datetime) -> Signer:
        """Return the newest key whose `signs_from` has passed."""
        first, *later = sorted(await self._load_current(), key=lambda signer: signer.signs_from)
        # The first key signs at once, even where the clock of this process is a little behind.
        return next((key for key in reversed(later) if key.signs_from <= now), first)

    async def list_public_keys(self) -> list[dict[str, str]]:
        return [signer.jwk for signer in await self._load_current()]

    async def _load_current(self) -> Sequence[Signer]:
        """Return the cached keys, reloaded when due.

        A reload takes a connection, so the caller must hold none, or the pool may run dry.
        """
        if self._is_reload_due():
            async with self._loading:
                # Another call may have reloaded the keys while this one waited.
                if self._is_reload_due():
                    await self._reload()
        return self._signers

    def _is_reload_due(self) -> bool:
        return time.monotonic() - self._loaded_at > _RELOAD_S

    async def _reload(self) -> None:
        try:
            self._signers = await self._load_keys()
        except Exception as error:
            if not (self._signers and is_outage(error)):
                raise
        # Set in an outage too, so that calls use the cached keys and do not all retry.
        self._loaded_at = time.monotonic()

    async def _load_keys(self) -> Sequence[Signer]:
        async with self._sessions.begin() as session:
            rows = (await session.scalars(select(SigningKey))).all()
            if not rows:
                # Two processes may start at once: the second finds the key of the first.
                await session.execute(select(func.pg_advisory_xact_lock(SIGNING_KEY_ROTATION)))
                rows = (await session.scalars(select(SigningKey))).all()
            if not rows:
                rows = [add_signing_key(session, self._cipher, signs_from=utc_now())]
        return [self._decrypt_key(row) for row in rows]

    def _decrypt_key(self, row: SigningKey) -> Signer:
        key = load_pem_private_key(self._cipher.decrypt(row.sealed), password=None)
        assert isinstance(key, EllipticCurvePrivateKey)
        return Signer(row.kid, key, row.jwk, row.signs_from)


def add_signing_key(session: AsyncSession, cipher: Fernet, *, signs_from: datetime) -> SigningKey:
    key = generate_private_key(SECP256R1())
    public = {name: str(part) for name, part in _public_jwk(key).items()}
    kid = compute_thumbprint(public)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    row = SigningKey(
        kid=kid,
        sealed=cipher.encrypt(pem),
        jwk=public | {"kid": kid, "alg": ALGORITHM, "use": "sig"},
        signs_from=signs_from,
    )
    session.add(row)
    return row


def _public_jwk(key: EllipticCurvePrivateKey) -> dict[str, object]:
    return dict(ECAlgorithm.to_jwk(key.public_key(), as_dict=True))


async def rotate_signing_keys(
    sessions: SessionFactory, key_encryption_key: SecretStr, *, now: datetime
) -> SigningKey:
    cipher = Fernet(key_encryption_key.get_secret_value())
    async with sessions.begin() as session:
        return add_signing_key(session, cipher, signs_from=now + LEAD)


async def delete_replaced_keys(session: AsyncSession, *, before: datetime) -> None:
    """Delete each key that another replaced before this time."""
    replaced_at = (
        select(func.max(SigningKey.signs_from))
        .where(SigningKey.signs_from < before)
        .scalar_subquery()
    )
    await session.execute(delete(SigningKey).where(SigningKey.signs_from < replaced_at))


async def delete_all_keys(session: AsyncSession) -> None:
    """Delete every key, because none can be decrypted any more; the next use creates one."""
    await session.execute(delete(SigningKey))
