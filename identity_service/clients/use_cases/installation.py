"""Change clients by commands on the machine, without a caller."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.clients import repository
from identity_service.clients.models import Client
from identity_service.clients.use_cases.authentication import hash_secret
from identity_service.database import add_missing
from shared.messaging.outbox import publish_events


async def register_operator(
    session: AsyncSession,
    client_id: str,
    jwk: Mapping[str, str],
    *,
    agency: str,
    name: str,
    now: datetime,
) -> None:
    """Add an operator with its key; raise ValueError where the id is taken."""
    client = await repository.add_client(
        session,
        client_id=client_id,
        version=1,
        agency=agency,
        name=name,
        kind="production",
        operator=True,
        active=True,
    )
    if client is None:
        raise ValueError(f"a client {client_id} exists: choose another id")
    await repository.add_client_key(
        session, client_id=client_id, kid=jwk["kid"], jwk=dict(jwk), added_at=now
    )
    publish_events(session, client.build_event(now))


async def register_missing_key(
    session: AsyncSession, client_id: str, jwk: Mapping[str, str], *, now: datetime
) -> None:
    """Add a key that `check_public_jwk` returned.

    Raise ValueError where there is no such client, or the kid is taken.
    """
    if await repository.find_client(session, client_id) is None:
        raise ValueError(f"no client {client_id}; register it by the API first")
    kid = jwk["kid"]
    key = await repository.add_client_key(
        session, client_id=client_id, kid=kid, jwk=dict(jwk), added_at=now
    )
    if key is None:
        raise ValueError(f"{client_id} has a key {kid} already; give the new key another kid")


async def add_missing_clients(
    session: AsyncSession, rows: Sequence[Mapping[str, Any]], *, now: datetime
) -> int:
    """Add the clients whose ids are free, and return their number."""
    added = await add_missing(session, Client, rows)
    publish_events(session, *(client.build_event(now) for client in added))
    return len(added)


async def set_sandbox_secrets(
    session: AsyncSession, secrets_of: Mapping[str, str], *, unchanged: Mapping[str, str]
) -> None:
    """Set the secret of each sandbox client, except those in `unchanged` that have one."""
    for client in await repository.list_sandbox_clients(session, list(secrets_of)):
        if client.secret_digest is None or client.client_id not in unchanged:
            client.secret_digest = hash_secret(secrets_of[client.client_id])
