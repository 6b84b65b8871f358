"""The rows with which an installation begins: agencies; in a sandbox also clients and people."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.agencies.models import Agency
from identity_service.agencies.registry_seed import agencies
from identity_service.clients import repository as client_store
from identity_service.clients.models import Client
from identity_service.clients.use_cases.authentication import secret_digest
from identity_service.database import Base
from identity_service.grants.models import Grant
from identity_service.grants.use_cases.first_operators import REGISTERED_BY
from identity_service.sandbox.clients import (
    grant_id,
    new_secret,
    read_secrets,
    sandbox_clients,
    write_sandbox_file,
)
from identity_service.sandbox.load_people import load_people, load_personas
from identity_service.settings import Settings
from shared.codes.folding import fold_bare
from shared.database.session import SessionFactory, open_database
from shared.messaging.outbox import emit

log = structlog.get_logger()


class NotASandboxError(Exception):
    """Sandbox clients were asked for in an installation that is in use."""


async def seed(settings: Settings) -> None:
    """Adds what lacks and leaves what is there as it is: a second time changes nothing."""
    async with open_database(settings) as sessions:
        async with sessions.begin() as session:
            await _seed_agencies(session)
        if settings.sandbox:
            await _seed_sandbox(sessions, settings)


async def _seed_sandbox(sessions: SessionFactory, settings: Settings) -> None:
    async with sessions.begin() as session:
        await _require_no_registered_operators(session)
        await _seed_clients(session)
    if settings.sandbox_file:
        await _seed_secrets(sessions, settings)
    await load_personas(settings)
    await load_people(settings, settings.people, seed=settings.people_seed)


async def _require_no_registered_operators(session: AsyncSession) -> None:
    """Raise NotASandboxError where the installation has operators of its own.

    The sandbox brings operators whose secrets lie in a file: they would rule an installation that
    is in use.
    """
    await client_store.lock_client_acts(session)
    if await session.scalar(select(exists().where(Grant.given_by == REGISTERED_BY))):
        raise NotASandboxError(
            "this installation has operators of its own, and cannot become a sandbox: leave SANDBOX"
            " unset, or begin with an empty database"
        )


async def _seed_agencies(session: AsyncSession) -> None:
    rows = [
        asdict(agency) | {"version": 1, "search_name": fold_bare(agency.name)}
        for agency in agencies()
    ]
    added = await _add_missing(session, Agency, rows)
    emit(session, *(agency.changed() for agency in added))
    log.info("agencies_seeded", added=len(added))


async def _seed_clients(session: AsyncSession) -> None:
    clients = [
        {"client_id": client_id, "version": 1, "kind": "sandbox", "active": True}
        | client.model_dump(include={"agency", "operator", "name"})
        for client_id, client in sandbox_clients().items()
    ]
    added_clients = await _add_missing(session, Client, clients)
    added_grants = await _add_missing(session, Grant, _grants(datetime.now(UTC)))
    emit(session, *(row.changed() for row in (*added_clients, *added_grants)))
    log.info("clients_seeded", added=len(added_clients), grants=len(added_grants))


def _grants(now: datetime) -> list[dict[str, Any]]:
    return [
        {
            "id": grant_id(client_id, number),
            "version": 1,
            "client_id": client_id,
            "valid_from": now,
            "given_by": "seed",
            "given_at": now,
        }
        | grant.model_dump()
        for client_id, client in sandbox_clients().items()
        for number, grant in enumerate(client.grants)
    ]


async def _add_missing(
    session: AsyncSession, table: type[Base], rows: Sequence[Mapping[str, Any]]
) -> Sequence[Any]:
    """The rows that were not there yet."""
    new = insert(table).on_conflict_do_nothing().returning(table)
    return (await session.scalars(new, rows)).all()


async def _seed_secrets(sessions: SessionFactory, settings: Settings) -> None:
    """A secret for each sandbox client; those told in the file stay as they are.

    The file is written last: where it is missing, nobody knows the secrets, and they are made anew.
    """
    assert settings.sandbox_file
    known = read_secrets(settings.sandbox_file)
    secrets_of = {client_id: known.get(client_id, new_secret()) for client_id in sandbox_clients()}
    async with sessions.begin() as session:
        for client in await session.scalars(
            select(Client).where(Client.client_id.in_(secrets_of), Client.kind == "sandbox")
        ):
            if client.secret_digest is None or client.client_id not in known:
                client.secret_digest = secret_digest(secrets_of[client.client_id])
    if secrets_of != known:
        write_sandbox_file(settings.sandbox_file, secrets_of)
