"""Seed the clients, grants, secrets and people of a sandbox."""

from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.clients.use_cases.installation import (
    add_missing_clients,
    set_sandbox_secrets,
)
from identity_service.clients.use_cases.operators import lock_client_acts
from identity_service.grants.use_cases.first_operators import has_first_operators
from identity_service.grants.use_cases.grants import add_missing_grants
from identity_service.sandbox.clients import (
    derive_grant_id,
    make_secret,
    read_sandbox_clients,
    read_secrets,
    write_sandbox_file,
)
from identity_service.sandbox.load_people import load_people, load_personas
from identity_service.settings import Settings
from shared.database.session import SessionFactory

log = structlog.get_logger()


class NotASandboxError(Exception):
    """Refuse to add the clients of a sandbox to an installation in use."""


async def seed_sandbox(sessions: SessionFactory, settings: Settings, *, now: datetime) -> None:
    async with sessions.begin() as session:
        await _require_no_registered_operators(session)
        await _seed_clients(session, now)
    if settings.sandbox_file:
        await _seed_secrets(sessions, settings)
    await load_personas(settings)
    await load_people(settings, settings.people, seed=settings.people_seed)


async def _require_no_registered_operators(session: AsyncSession) -> None:
    """Raise NotASandboxError where the installation has operators of its own.

    A sandbox has operators whose secrets lie in a file; they would control an installation in use.
    """
    await lock_client_acts(session)
    if await has_first_operators(session):
        raise NotASandboxError(
            "this installation has operators of its own, and cannot become a sandbox: leave SANDBOX"
            " unset, or begin with an empty database"
        )


async def _seed_clients(session: AsyncSession, now: datetime) -> None:
    clients = [
        {"client_id": client_id, "version": 1, "kind": "sandbox", "active": True}
        | client.model_dump(include={"agency", "operator", "name"})
        for client_id, client in read_sandbox_clients().items()
    ]
    added_clients = await add_missing_clients(session, clients, now=now)
    added_grants = await add_missing_grants(session, _build_grants(now), now=now)
    log.info("clients_seeded", added=added_clients, grants=added_grants)


def _build_grants(now: datetime) -> list[dict[str, Any]]:
    return [
        {
            "id": derive_grant_id(client_id, number),
            "version": 1,
            "client_id": client_id,
            "valid_from": now,
            "given_by": "seed",
            "given_at": now,
        }
        | grant.model_dump()
        for client_id, client in read_sandbox_clients().items()
        for number, grant in enumerate(client.grants)
    ]


async def _seed_secrets(sessions: SessionFactory, settings: Settings) -> None:
    """Set a secret for each sandbox client; the secrets in the file stay unchanged.

    The file is written last: where it is missing, the secrets are lost, and new ones are made.
    """
    assert settings.sandbox_file
    known = read_secrets(settings.sandbox_file)
    secrets_of = {
        client_id: known.get(client_id, make_secret()) for client_id in read_sandbox_clients()
    }
    async with sessions.begin() as session:
        await set_sandbox_secrets(session, secrets_of, unchanged=known)
    if secrets_of != known:
        write_sandbox_file(settings.sandbox_file, secrets_of)
