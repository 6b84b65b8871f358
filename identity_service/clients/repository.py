"""Query and store clients, their keys and their proposals.

`within` holds the agencies that the caller's right covers; a client outside them is not found.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from identity_service.clients.models import Client, ClientKey, Proposal, UsedAssertion
from identity_service.database import Within, build_within_condition
from shared.database.locks import CLIENT_ACTS

ProposalKey = tuple[str, str, str]  # target, act, about


async def list_clients(
    session: AsyncSession,
    within: Within,
    *,
    after: str | None,
    limit: int,
    agency: str | None,
    kind: str | None,
    operator: bool | None,
    active: bool | None,
) -> list[Client]:
    query = _select_clients(within)
    if after:
        query = query.where(Client.client_id > after)
    if agency:
        query = query.where(Client.agency == agency)
    if kind:
        query = query.where(Client.kind == kind)
    if operator is not None:
        query = query.where(Client.operator == operator)
    if active is not None:
        query = query.where(Client.active == active)
    query = query.order_by(Client.client_id).limit(limit)
    return list((await session.scalars(query)).all())


def _select_clients(within: Within) -> Select[Client]:
    return (
        select(Client)
        .where(build_within_condition(Client.agency, within))
        .options(selectinload(Client.keys))
    )


def select_client_ids(within: Within) -> Select[str]:
    return select(Client.client_id).where(build_within_condition(Client.agency, within))


async def list_sandbox_clients(session: AsyncSession, clients: Collection[str]) -> Sequence[Client]:
    """Return the clients of the kind sandbox among the ids `clients`."""
    query = select(Client).where(Client.client_id.in_(clients), Client.kind == "sandbox")
    return (await session.scalars(query)).all()


async def list_all_clients(
    session: AsyncSession, *, after: str | None, limit: int
) -> Sequence[Client]:
    query = select(Client).order_by(Client.client_id).limit(limit)
    if after is not None:
        query = query.where(Client.client_id > after)
    return (await session.scalars(query)).all()


async def find_client(
    session: AsyncSession, client_id: str, within: Within = None
) -> Client | None:
    return await session.scalar(_select_clients(within).where(Client.client_id == client_id))


async def find_bare_client(session: AsyncSession, client_id: str) -> Client | None:
    """Return the client without its keys, in one statement whether it exists or not."""
    return await session.scalar(select(Client).where(Client.client_id == client_id))


async def find_client_with_key(
    session: AsyncSession, client_id: str, kid: str
) -> tuple[Client | None, ClientKey | None]:
    """Return both in one statement, which costs the same where either is unknown."""
    key = (ClientKey.client_id == Client.client_id) & (ClientKey.kid == kid)
    query = select(Client, ClientKey).outerjoin(ClientKey, key)
    row = (await session.execute(query.where(Client.client_id == client_id))).one_or_none()
    return (row[0], row[1]) if row else (None, None)


async def find_client_key(session: AsyncSession, client_id: str, kid: str) -> ClientKey | None:
    return await session.get(ClientKey, (client_id, kid))


async def lock_client_acts(session: AsyncSession) -> None:
    """Serialize acts on keys, clients and the rights of operators until the transaction ends."""
    await session.execute(select(func.pg_advisory_xact_lock(CLIENT_ACTS)))


async def is_active_operator(session: AsyncSession, client_id: str) -> bool:
    query = select(Client.operator & Client.active).where(Client.client_id == client_id)
    return bool(await session.scalar(query))


async def has_operators(session: AsyncSession) -> bool:
    """Return whether any client is an operator, active or not."""
    return bool(await session.scalar(select(exists().where(Client.operator))))


async def list_operators(session: AsyncSession) -> Sequence[Client]:
    """Return the active operators with their keys."""
    query = select(Client).where(Client.operator, Client.active)
    return (await session.scalars(query.options(selectinload(Client.keys)))).all()


async def find_proposal(session: AsyncSession, proposal: ProposalKey) -> Proposal | None:
    return await session.get(Proposal, proposal)


async def delete_expired_proposals(session: AsyncSession, now: datetime) -> None:
    await session.execute(delete(Proposal).where(Proposal.expires_at < now))


async def record_assertion(
    session: AsyncSession, client_id: str, jti: str, expires_at: datetime
) -> bool:
    """Record the assertion as used; return False where it was used before."""
    used = insert(UsedAssertion).values(client_id=client_id, jti=jti, expires_at=expires_at)
    fresh = used.on_conflict_do_nothing().returning(UsedAssertion.jti)
    return await session.scalar(fresh) is not None


async def delete_expired_assertions(session: AsyncSession, now: datetime) -> None:
    await session.execute(delete(UsedAssertion).where(UsedAssertion.expires_at < now))


async def add_client(session: AsyncSession, **columns: Any) -> Client | None:
    """Return the new client, or None where its id is taken."""
    new = insert(Client).values(columns).on_conflict_do_nothing().returning(Client.client_id)
    added = await session.scalar(new)
    return await find_client(session, added) if added else None


async def add_client_key(session: AsyncSession, **columns: Any) -> ClientKey | None:
    """Return the new key, or None where the client has a key with this kid."""
    new = insert(ClientKey).values(columns).on_conflict_do_nothing()
    return await session.scalar(new.returning(ClientKey))
