"""An upgrade keeps all that an installation has: its data is there, and its work goes on.

The databases are those of earlier versions, as `tests.upgrade.freeze` wrote them, and that of the
present one, so that the next release can be frozen.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from alembic import command

from deploy.services import SERVICES
from gateway.ledger.chain.evidence import Evidence
from gateway.ledger.chain.keys import list_trusted_keys
from gateway.ledger.chain.verification import ChainState, Verdict, verify_ledger
from shared.crypto.ed25519 import read_private_key
from shared.runtime.migrations import build_configuration
from tests.access import bodies
from tests.access.country import OURS, Country, open_installed
from tests.conftest import Databases
from tests.support.complete_rights import note_rights_complete
from tests.support.installation import install
from tests.support.waiting import eventually
from tests.upgrade.freeze import ask, freeze_state, set_clock
from tests.upgrade.keys import KEYS
from tests.upgrade.state import (
    LoadedDatabases,
    State,
    dump_database,
    list_states,
    load_database,
)
from tests.upgrade.story import DOSSIERS, change

FROZEN = list_states()
PRESENT = "present"
CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"
# Nothing was frozen then.
BEFORE_ALL_STATES = {"0.1.0"}
# Processes fill these at their start, or when they run for a while: relays, timers, rebuilds …
UNFILLED = {
    "catalogue_import",
    "outbox_sent",
    "people_load",
    "projection_rebuild",
    "secret_check",
    "timer",
    "used_assertion",
}


# Every service has these, and not every one uses them in the story.
COMMON = {"handled_event", "heard", "idempotency_key"}


@pytest.fixture(scope="module", params=[*(state.name for state in FROZEN), PRESENT])
async def state(
    request: pytest.FixtureRequest,
    postgres: Databases,
    tmp_path_factory: pytest.TempPathFactory,
) -> State:
    if request.param == PRESENT:
        return await freeze_state(postgres, tmp_path_factory.mktemp(PRESENT))
    return next(frozen for frozen in FROZEN if frozen.name == request.param)


@pytest.fixture(scope="module")
async def upgraded(postgres: Databases, state: State) -> AsyncIterator[Country]:
    """An installation whose databases were loaded from the state, then upgraded."""
    databases = LoadedDatabases(postgres.server, postgres.numbers, state=state)
    made = await asyncio.to_thread(install, databases, None, KEYS)
    async with open_installed(databases, made, ready=False, **KEYS["gateway"]) as country:
        async with country.gate.sessions.begin() as session:
            await note_rights_complete(session)
        await eventually(country.gate.is_ready)
        set_clock(country, state.read_time())
        yield country


def is_kept(before: Any, now: Any) -> bool:
    """Return whether all of `before` is in `now`, which may have more members and other items.

    The cursor of a next page is of the version that wrote it: there is one now where there was one.
    """
    if isinstance(before, dict) and isinstance(now, dict):
        return all(
            name in now and (is_kept(value, now[name]) or (name == "next" and value and now[name]))
            for name, value in before.items()
        )
    if isinstance(before, list) and isinstance(now, list):
        # In their order, and none of them more often than before.
        others = iter(now)
        in_order = all(any(is_kept(item, other) for other in others) for item in before)
        return in_order and all(
            sum(is_kept(item, other) for other in now) == sum(is_kept(item, b) for b in before)
            for item in before
        )
    return bool(before == now)


@pytest.mark.parametrize(
    ("before", "now", "kept"),
    [
        ({"code": "1"}, {"code": "1", "new": 2}, True),
        ({"code": "1"}, {"code": "2"}, False),
        ({"code": None}, {}, False),
        ({"next": "x"}, {"next": "y"}, True),
        ({"next": "x"}, {"next": None}, False),
        ({"next": None}, {"next": "y"}, False),
        ([{"id": 1}], [{"id": 1}, {"id": 1}], False),
        ([{"id": 1}, {"id": 2}], [{"id": 2}, {"id": 1}], False),
        ([{"id": 1}, {"id": 1}], [{"id": 1}, {"id": 2}, {"id": 1}], True),
        ({"items": [{"id": 1}]}, {"items": [{"id": 0}, {"id": 1, "new": 2}]}, True),
        ({"items": [{"id": 1}]}, {"items": []}, False),
        ({"items": []}, {"items": None}, False),
    ],
)
def test_lost_or_changed_data_is_seen(before: Any, now: Any, kept: bool) -> None:
    assert is_kept(before, now) is kept


async def test_upgraded_installation_answers_as_before(upgraded: Country, state: State) -> None:
    answers = state.read_answers()
    assert answers
    lost = {}
    for answer in answers:
        now = await ask(upgraded, answer.operation, answer.path, answer.params)
        if not is_kept(answer.body, now):
            lost[answer.path] = (answer.body, now)
    assert lost == {}


async def test_upgraded_ledger_is_whole_and_goes_on(upgraded: Country, state: State) -> None:
    await upgraded.gate.records()
    verdicts = await _verify_ledger(upgraded)
    assert {verdict.state for verdict in verdicts} & {ChainState.DAMAGED} == set()
    [records] = [a.body for a in state.read_answers() if a.operation == "GET /ledger/v1/records"]
    assert sum(verdict.records for verdict in verdicts) > len(records["items"]) > 0


async def _verify_ledger(country: Country) -> list[Verdict]:
    settings = country.gate.settings
    key = read_private_key("ledger_key", settings.ledger_key).public_key()
    trusted = list_trusted_keys(key, "")
    return [verdict async for verdict in verify_ledger(settings.database, trusted, Evidence())]


async def test_work_goes_on_after_an_upgrade(upgraded: Country, state: State) -> None:
    [listed] = [a.body for a in state.read_answers() if a.operation == f"GET {DOSSIERS}"]
    open_codes = [dossier["code"] for dossier in listed["items"] if dossier["status"] == 4]
    assert open_codes
    path = f"{DOSSIERS}/{open_codes[0]}"
    await change(upgraded, path, "progress", {"step": "desk-2"})
    await change(upgraded, path, "results", bodies.result())
    await change(upgraded, path, "transitions", {"to": 9})
    assert (await upgraded.as_operator(f"GET {DOSSIERS}/{{code}}", path)).json()["status"] == 9
    filed = await upgraded.as_operator("POST", DOSSIERS, json=bodies.wish(OURS))
    assert filed.json()["code"] not in {dossier["code"] for dossier in listed["items"]}


@pytest.mark.parametrize("service", SERVICES)
def test_state_has_rows_in_each_table(state: State, service: str) -> None:
    assert state.list_empty_tables(service) <= UNFILLED | COMMON


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("frozen", FROZEN, ids=lambda state: state.name)
def test_migrations_of_before_still_make_the_same_tables(
    postgres: Databases, frozen: State, service: str
) -> None:
    migrated = postgres.database_url(service)
    settings = import_module(f"{service}.settings").Settings.model_construct(
        database_url=migrated, database_password=None
    )
    command.upgrade(build_configuration(settings), frozen.read_revision(service))
    # PostgreSQL writes some conditions in another way once they were loaded from a dump.
    again = postgres.database_url(service)
    load_database(again, dump_database(migrated, "--schema-only"))
    loaded = LoadedDatabases(postgres.server, postgres.numbers, state=frozen)
    tables = dump_database(loaded.loaded_url(service), "--schema-only")
    assert dump_database(again, "--schema-only") == tables


def test_each_release_has_its_state() -> None:
    text = CHANGELOG.read_text(encoding="utf-8")
    releases = set(re.findall(r"^## \[(\d+\.\d+\.\d+)\]", text, re.MULTILINE))
    assert FROZEN
    assert releases - BEFORE_ALL_STATES <= {state.name for state in FROZEN}
