"""Whatever the gateway's database says of rights, it soon says what identity says."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from sqlalchemy import text

from gateway.access.projections import upsert_changed_clients, upsert_changed_grants
from gateway.access.reconciliation import RightsReconciler, list_differences
from gateway.settings import Settings
from shared.database.engine import open_database
from shared.database.session import SessionFactory
from shared.events import ClientChanged, GrantChanged
from tests.access.country import Country, open_country
from tests.conftest import Databases
from tests.support.gateway_harness import LONG_AGO, make_client, make_grant, make_settings
from tests.support.waiting import eventually

PINNED = 2**31 - 1


class Identity:
    """The wire to identity; its answers have at most two rows."""

    def __init__(self) -> None:
        self.clients: list[ClientChanged] = []
        self.grants: list[GrantChanged] = []
        self.asked: list[httpx.Request] = []
        # Happens when the grants were read and before they are compared.
        self.meanwhile: Callable[[], Any] | None = None

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        of_grants = request.url.path.endswith("grants")
        rows: Sequence[Any] = self.grants if of_grants else self.clients
        key = "grant_id" if of_grants else "client_id"
        after = request.url.params.get("after", "")
        left = sorted(rows, key=lambda row: str(getattr(row, key)))
        page = [row for row in left if str(getattr(row, key)) > after][:2]
        told = [row.model_dump(mode="json") for row in page]
        if of_grants and self.meanwhile:
            await self.meanwhile()
        return httpx.Response(200, json=told)


@pytest.fixture(scope="module")
def settings(postgres: Databases) -> Settings:
    return make_settings(postgres.migrated_url("gateway"))


@pytest.fixture
async def sessions(settings: Settings) -> AsyncIterator[SessionFactory]:
    """Of a gateway that knows no right yet."""
    async with open_database(settings) as sessions:
        async with sessions.begin() as session:
            await session.execute(text("TRUNCATE grant_in_force, client_in_force"))
        yield sessions


@pytest.fixture
def identity() -> Identity:
    return Identity()


async def reconcile(sessions: SessionFactory, identity: Identity) -> list[str]:
    """Which kinds of differences were found."""
    transport = httpx.MockTransport(identity.answer)
    async with httpx.AsyncClient(transport=transport) as http:
        settings = make_settings("postgresql+asyncpg://nowhere")
        found = await RightsReconciler(settings, sessions, http).reconcile_all_tables()
    return sorted(each.kind for each in found)


async def keep(sessions: SessionFactory, *rows: ClientChanged | GrantChanged) -> None:
    """As the axis brought them."""
    async with sessions.begin() as session:
        clients = [row for row in rows if isinstance(row, ClientChanged)]
        grants = [row for row in rows if isinstance(row, GrantChanged)]
        if clients:
            await upsert_changed_clients(session, clients)
        if grants:
            await upsert_changed_grants(session, grants)


async def rights(sessions: SessionFactory) -> list[tuple[Any, ...]]:
    """All that gives a right, as the gateway reads it."""
    query = text(
        "SELECT client_id, operations, agencies, version FROM grant_in_force"
        " WHERE NOT revoked AND (valid_to IS NULL OR valid_to > now())"
        " UNION ALL SELECT client_id, ARRAY[agency], NULL, version"
        " FROM client_in_force WHERE active"
        " ORDER BY client_id, version"
    )
    async with sessions() as session:
        return [tuple(row) for row in (await session.execute(query)).all()]


async def test_equal_rights_are_left_alone(sessions: SessionFactory, identity: Identity) -> None:
    identity.clients = [make_client(f"client-{n}") for n in range(5)]
    identity.grants = [make_grant(f"client-{n}") for n in range(5)]
    await keep(sessions, *identity.clients, *identity.grants)
    before = await rights(sessions)
    assert await reconcile(sessions, identity) == []
    assert await rights(sessions) == before


CLIENT, GRANT = make_client("h26"), make_grant("h26")
STARS = {"operations": ["*"], "agencies": None}
FORGERIES: dict[str, ClientChanged | GrantChanged] = {
    "a grant of everything": make_grant("h26", **STARS),
    "a grant for a client that is none": make_grant("nobody", **STARS),
    "a client that is none": make_client("nobody"),
    "a grant made wider": GRANT.model_copy(update={**STARS, "version": 2}),
    "a grant made wider at its version": GRANT.model_copy(update=STARS),
    "a grant pinned for ever": GRANT.model_copy(update={**STARS, "version": PINNED}),
    "a grant revoked for ever": GRANT.model_copy(update={"revoked": True, "version": PINNED}),
    "a grant that ended": GRANT.model_copy(update={"valid_to": LONG_AGO, "version": PINNED}),
    "a client locked out": CLIENT.model_copy(update={"active": False, "version": PINNED}),
    "a client moved": CLIENT.model_copy(update={"agency": "G22", "version": PINNED}),
}


@pytest.mark.parametrize("forged", FORGERIES.values(), ids=FORGERIES)
async def test_forged_right_is_set_right_and_counted(
    sessions: SessionFactory, identity: Identity, forged: ClientChanged | GrantChanged
) -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("rights_repaired_total", {"kind": "false"}) or 0.0

    identity.clients, identity.grants = [CLIENT, make_client("h29")], [GRANT, make_grant("h29")]
    await keep(sessions, *identity.clients, *identity.grants)
    true, before = await rights(sessions), counted()
    async with sessions.begin() as session:
        # As somebody who writes the database leaves it, whichever version stood there.
        of_client = isinstance(forged, ClientChanged)
        table, key = (
            ("client_in_force", "client_id") if of_client else ("grant_in_force", "grant_id")
        )
        old = text(f"DELETE FROM {table} WHERE {key} = :key")
        await session.execute(old, {"key": getattr(forged, key)})
    await keep(sessions, forged)
    assert await rights(sessions) != true
    assert await reconcile(sessions, identity) == ["false"]
    assert await rights(sessions) == true
    assert await reconcile(sessions, identity) == []
    assert counted() == before + 1


async def test_change_that_the_axis_did_not_bring_is_in_force(
    sessions: SessionFactory, identity: Identity
) -> None:
    await keep(sessions, CLIENT, GRANT)
    identity.clients = [
        CLIENT.model_copy(update={"version": 2, "active": False}),
        make_client("h29"),
    ]
    identity.grants = [
        GRANT.model_copy(update={"version": 2, "revoked": True}),
        make_grant("h29"),
    ]
    assert await reconcile(sessions, identity) == ["missed"] * 4
    assert {row[0] for row in await rights(sessions)} == {"h29"}


async def test_right_that_changes_during_the_comparison_is_not_undone(
    sessions: SessionFactory, identity: Identity
) -> None:
    identity.clients, identity.grants = [], [GRANT]
    await keep(sessions, GRANT)

    async def revoke() -> None:
        await keep(sessions, GRANT.model_copy(update={"version": 2, "revoked": True}))

    identity.meanwhile = revoke
    assert await reconcile(sessions, identity) == []
    assert await rights(sessions) == []


async def test_false_right_that_changes_during_the_comparison_waits_for_the_next(
    sessions: SessionFactory, identity: Identity
) -> None:
    identity.grants = [GRANT]
    await keep(sessions, GRANT.model_copy(update={"version": PINNED}))

    async def change() -> None:
        async with sessions.begin() as session:
            await session.execute(text("UPDATE grant_in_force SET version = 2, revoked = true"))

    identity.meanwhile = change
    assert await reconcile(sessions, identity) == ["false"]
    assert await rights(sessions) == []
    identity.meanwhile, identity.grants = None, [GRANT.model_copy(update={"version": 3})]
    assert await reconcile(sessions, identity) == ["missed"]
    assert [row[3] for row in await rights(sessions)] == [3]


async def test_answer_that_is_no_list_of_rights_changes_nothing(sessions: SessionFactory) -> None:
    await keep(sessions, CLIENT, GRANT)
    before = await rights(sessions)
    answers = [
        httpx.Response(401),
        httpx.Response(503),
        httpx.Response(200, json={}),
        httpx.Response(200, json=[{"client_id": "x"}]),
        httpx.Response(200, content=b"<html>"),
    ]
    for answer in answers:
        transport = httpx.MockTransport(lambda _, told=answer: told)
        async with httpx.AsyncClient(transport=transport) as http:
            settings = make_settings("postgresql+asyncpg://nowhere")
            with pytest.raises((httpx.HTTPError, ValueError)):
                await RightsReconciler(settings, sessions, http).reconcile_all_tables()
    assert await rights(sessions) == before


ROWS = st.dictionaries(
    st.integers(0, 5),
    st.fixed_dictionaries({"version": st.integers(1, 4), "revoked": st.booleans()}),
)


@given(kept=ROWS, true=ROWS)
def test_what_is_set_right_is_what_identity_says(
    kept: dict[Any, Any], true: dict[Any, Any]
) -> None:
    now = datetime.now(UTC)
    after = {key: dict(row) for key, row in kept.items()}
    for each in list_differences(kept, true, without_right={"revoked": True}, now=now):
        after[each.key] = {**after.get(each.key, {}), **each.to}
    assert {key: after[key] for key in true} == true
    assert all(after[key]["revoked"] for key in after.keys() - true.keys())


def test_grant_that_ended_long_ago_is_no_difference() -> None:
    now = datetime.now(UTC)
    ended = {"version": 1, "revoked": False, "valid_to": now - timedelta(days=30)}
    assert list_differences({uuid4(): ended}, {}, without_right={"revoked": True}, now=now) == []


async def test_forged_rights_in_a_whole_installation_are_set_right(
    postgres: Databases, tmp_path: Path
) -> None:
    """Identity believes the gateway by its key, and the gateway's processes hear of the repair."""
    async with open_country(postgres, tmp_path / "sandbox.json") as country:
        gate = country.gate
        async with httpx.AsyncClient() as http:
            reconciler = RightsReconciler(gate.settings, gate.sessions, http)
            # What the tests of this installation made up is not identity's.
            await reconciler.reconcile_all_tables()
            assert await reconciler.reconcile_all_tables() == []
            assert not await may_list(country)
            await keep(
                gate.sessions,
                make_client("external-h41", "H41", version=PINNED),
                make_grant("external-h41", **STARS, version=PINNED),
            )
            await eventually(lambda: may_list(country))
            assert {each.kind for each in await reconciler.reconcile_all_tables()} == {"false"}

        async def is_refused() -> bool:
            return not await may_list(country)

        await eventually(is_refused)


async def may_list(country: Country) -> bool:
    headers = [
        ("Authorization", f"Bearer {country.token('external-h41', 'H41')}"),
        ("X-Purpose", "1.001193"),
        ("X-Officer", "officer-1"),
    ]
    answer = await country.ask("GET", "/dossier/v1/dossiers", headers)
    return answer.is_success
