from sqlalchemy import text

from gateway.access.models import ClientInForce, GrantInForce
from gateway.access.projections import upsert_changed_clients, upsert_changed_grants
from tests.support.gateway_harness import (
    Gate,
    make_client,
    make_grant,
)


async def test_older_version_does_not_overwrite_a_newer_one(gate: Gate) -> None:
    grant, client = make_grant("late", version=3), make_client("late", version=3)
    older = {"version": 2}
    async with gate.sessions.begin() as session:
        for _ in range(2):
            await upsert_changed_grants(
                session, [grant, grant.model_copy(update={**older, "revoked": True})]
            )
            await upsert_changed_clients(
                session, [client, client.model_copy(update={**older, "active": False})]
            )
            await upsert_changed_grants(
                session, [grant.model_copy(update={**older, "revoked": True})]
            )
    async with gate.sessions() as session:
        kept = await session.get(GrantInForce, grant.grant_id)
        assert kept
        assert (kept.version, kept.revoked, kept.procedures) == (3, False, None)
        known = await session.get(ClientInForce, "late")
        assert known
        assert (known.version, known.active) == (3, True)


async def test_thousand_grants_are_one_statement(gate: Gate) -> None:
    events = [make_grant("many", operations=[f"GET /{n}"]) for n in range(1_000)]
    async with gate.sessions.begin() as session:
        await upsert_changed_grants(session, [*events, *events])
        count = "SELECT count(*) FROM grant_in_force WHERE client_id = 'many'"
        assert await session.scalar(text(count)) == 1_000
