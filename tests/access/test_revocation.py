"""What is taken away through the gateway is refused by the gateway, with workers and broker."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import gateway.handlers
from tests.access.country import BIRTH, OURS, Country, open_country
from tests.conftest import Broker, Databases
from tests.support.background import working
from tests.support.waiting import eventually

CLIENTS, GRANTS = "/identity/v1/clients", "/identity/v1/grants"
LIST = "GET /dossier/v1/dossiers"
FIRST = {"If-Match": '"1"'}


@pytest.mark.broker
async def test_what_is_taken_away_is_refused_without_waiting_for_a_round(
    postgres: Databases, tmp_path: Path, kafka: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.messaging.relay.POLL_S", 3_600)
    async with AsyncExitStack() as stack:
        country = await stack.enter_async_context(open_country(postgres, tmp_path / "sandbox.json"))
        await stack.enter_async_context(working(country.identity, {}, kafka))
        told = gateway.handlers.HANDLERS
        await stack.enter_async_context(working(country.gate.settings, told, kafka))
        grant = await newcomer(country, "loser")
        await refused_after(country, "loser", f"{GRANTS}/{grant}/revocation")
        await newcomer(country, "leaver")
        leaving = f"{CLIENTS}/leaver/deactivation"
        await country.as_operator("POST", leaving, headers=FIRST, client="operator2-vpcp")
        assert await is_answered(country, "leaver", 200), "one operator alone ends no access"
        await refused_after(country, "leaver", leaving)


async def refused_after(country: Country, client: str, taking: str) -> None:
    await country.as_operator("POST", taking, headers=FIRST)
    await eventually(lambda: is_answered(country, client, 403))


async def newcomer(country: Country, client: str) -> str:
    """Registered and given a right through the gateway, as soon as it knows; returns the grant."""
    new = {"client_id": client, "agency": OURS, "name": "Một cửa", "kind": "sandbox"}
    await country.as_operator("POST", CLIENTS, json=new)
    given: Mapping[str, object] = {
        "client_id": client,
        "operations": [LIST],
        "legal_basis": "Luật 26/2023",
    }
    grant = (await country.as_operator("POST", GRANTS, json=given)).json()
    await eventually(lambda: is_answered(country, client, 200))
    return str(grant["id"])


async def is_answered(country: Country, client: str, wanted: int) -> bool:
    headers = [
        ("Authorization", f"Bearer {country.token(client)}"),
        ("X-Purpose", BIRTH),
        ("X-Officer", "officer-1"),
    ]
    method, _, path = LIST.partition(" ")
    return (await country.ask(method, path, headers)).status_code == wanted
