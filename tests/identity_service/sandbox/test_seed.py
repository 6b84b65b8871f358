import asyncio
import json
import stat
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from gateway.operations.table import OPERATIONS
from identity_service.agencies.models import Agency
from identity_service.agencies.registry_seed import list_seed_agencies
from identity_service.clients.models import Client
from identity_service.clients.use_cases.authentication import hash_secret
from identity_service.grants.models import Grant
from identity_service.persons.models import RegisteredPerson
from identity_service.persons.sources import Inquiry
from identity_service.persons.sources.register import open_register
from identity_service.sandbox.clients import read_sandbox_clients
from identity_service.sandbox.commands import commands
from identity_service.sandbox.generator import generate_people
from identity_service.sandbox.load_people import AnotherSeedError, load_people
from identity_service.sandbox.personas import read_personas
from identity_service.seed import seed
from identity_service.settings import Settings
from shared.codes.persons.person_hash import hash_person
from shared.database.engine import open_database
from shared.database.session import SessionFactory
from tests.conftest import Databases
from tests.identity_service.commands import run_command
from tests.identity_service.conftest import PEOPLE, make_settings

RECORDED_PERSONAS = sum(
    persona.has_fixed_result or persona.person is not None for persona in read_personas().values()
)


@pytest.fixture
def empty(postgres: Databases, tmp_path: Path) -> Settings:
    """Of a database of its own, migrated and not seeded."""
    return make_settings(
        postgres.migrated_url("identity_service"), sandbox_file=tmp_path / "sandbox.json", people=20
    )


async def counts(sessions: SessionFactory) -> dict[str, int]:
    tables = (Agency, Client, Grant, RegisteredPerson)
    async with sessions() as session:
        counted = {
            table.__tablename__: await session.scalar(select(func.count()).select_from(table)) or 0
            for table in tables
        }
        outbox = await session.scalar(text("SELECT count(*) FROM outbox"))
    return counted | {"outbox": outbox or 0}


def test_every_operation_of_the_sandbox_exists() -> None:
    for client in read_sandbox_clients().values():
        for grant in client.grants:
            assert set(grant.operations) <= OPERATIONS.keys() | {"*"}


async def test_a_second_seed_changes_nothing(empty: Settings) -> None:
    await seed(empty)
    assert empty.sandbox_file
    told = empty.sandbox_file.read_text()
    async with open_database(empty) as sessions:
        first = await counts(sessions)
        assert first["person"] == 20 + RECORDED_PERSONAS
        grants = sum(len(client.grants) for client in read_sandbox_clients().values())
        assert first["outbox"] == first["agency"] + first["client"] + grants
        assert (first["client"], first["access_grant"]) == (len(read_sandbox_clients()), grants)
        await seed(empty)
        assert await counts(sessions) == first
    assert empty.sandbox_file.read_text() == told


async def test_what_was_changed_since_stays_so(empty: Settings) -> None:
    await seed(empty)
    async with open_database(empty) as sessions:
        async with sessions.begin() as session:
            client = await session.get_one(Client, "newcomer-h14")
            client.set_active(active=False)
        await seed(empty)
        async with sessions() as session:
            client = await session.get_one(Client, "newcomer-h14")
            assert (client.active, client.version) == (False, 2)


async def test_secrets_outlive_a_seed_and_are_new_where_the_file_is_lost(empty: Settings) -> None:
    path = empty.sandbox_file
    assert path
    await seed(empty)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = secrets_told(path)
    assert first.keys() == read_sandbox_clients().keys()
    await seed(empty)
    assert await all_hold(empty, first)
    path.unlink()
    await seed(empty)
    second = secrets_told(path)
    assert not set(first.values()) & set(second.values())
    assert await all_hold(empty, second)


async def test_the_secrets_of_a_file_hold_in_a_new_database_too(
    empty: Settings, postgres: Databases
) -> None:
    await seed(empty)
    assert empty.sandbox_file
    told = secrets_told(empty.sandbox_file)
    again = empty.model_copy(update={"database_url": postgres.migrated_url("identity_service")})
    await seed(again)
    assert secrets_told(empty.sandbox_file) == told
    assert await all_hold(again, told)


def secrets_told(path: Path) -> dict[str, str]:
    clients = json.loads(path.read_text())["clients"]
    return {client["client_id"]: client["client_secret"] for client in clients}


async def all_hold(settings: Settings, secrets: dict[str, str]) -> bool:
    async with open_database(settings) as sessions, sessions() as session:
        clients = (await session.scalars(select(Client))).all()
    return all(client.secret_digest == hash_secret(secrets[client.client_id]) for client in clients)


async def test_installation_begins_without_clients_rights_and_people(empty: Settings) -> None:
    in_use = empty.model_copy(update={"sandbox": False})
    await seed(in_use)
    async with open_database(in_use) as sessions:
        found = await counts(sessions)
    assert found == {
        "agency": len(list_seed_agencies()),
        "client": 0,
        "access_grant": 0,
        "person": 0,
        "outbox": len(list_seed_agencies()),
    }
    assert in_use.sandbox_file
    assert not in_use.sandbox_file.exists()


def test_sandbox_is_off_where_nobody_asked_for_it_and_forgets_wrong_claims_soon() -> None:
    given = make_settings("postgresql+asyncpg://nowhere").model_dump(
        exclude={"sandbox", "guess_memory_seconds"}
    )
    production = Settings.model_validate(given)
    assert (production.sandbox, production.guess_memory_seconds) == (False, 30 * 86_400)
    assert Settings.model_validate(given | {"sandbox": True}).guess_memory_seconds == 120


async def test_synthetic_people_come_into_a_sandbox_alone(empty: Settings) -> None:
    in_use = empty.model_copy(update={"sandbox": False})
    ended = await asyncio.to_thread(run_command, commands, in_use, "load", "--count", "5")
    assert ended.exit_code == 2
    assert "SANDBOX=true" in ended.output
    async with open_database(empty) as sessions:
        assert (await counts(sessions))["person"] == 0
    ended = await asyncio.to_thread(run_command, commands, empty, "load", "--count", "5")
    assert ended.exit_code == 0, ended.output
    async with open_database(empty) as sessions:
        assert (await counts(sessions))["person"] == 5


async def test_without_a_file_nobody_has_a_secret(empty: Settings) -> None:
    silent = empty.model_copy(update={"sandbox_file": None})
    await seed(silent)
    async with open_database(silent) as sessions, sessions() as session:
        assert not any(await session.scalars(select(Client.secret_digest)))


@pytest.mark.parametrize("operator", [True, False])
async def test_the_database_takes_no_secret_of_a_client_in_production(
    settings: Settings, operator: bool
) -> None:
    of_production = Client(
        client_id="with-a-secret",
        version=1,
        agency="G22",
        name="x",
        kind="production",
        operator=operator,
        active=True,
        secret_digest=hash_secret("x"),
    )
    async with open_database(settings) as sessions, sessions() as session:
        session.add(of_production)
        with pytest.raises(IntegrityError, match="client_secret_is_of_the_sandbox"):
            await session.flush()


def test_the_file_tells_what_to_send_for_each_persona(settings: Settings) -> None:
    assert settings.sandbox_file
    told = json.loads(settings.sandbox_file.read_text())["personas"]
    assert [persona["name"] for persona in told] == list(read_personas())
    assert told[0]["request"]["personal_number"] == "001090000001"


async def test_a_load_goes_on_where_another_ended(empty: Settings) -> None:
    reached: list[int] = []
    assert await load_people(empty, 30, seed=7, progress=reached.append) == 30
    assert await load_people(empty, 30, seed=7) == 0
    assert await load_people(empty, 10, seed=7) == 0
    assert await load_people(empty, 50, seed=7, progress=reached.append) == 20
    assert reached == [30, 50]
    async with open_database(empty) as sessions:
        assert (await counts(sessions))["person"] == 50
    with pytest.raises(AnotherSeedError):
        await load_people(empty, 60, seed=8)


async def test_each_person_loaded_is_found_by_the_number(settings: Settings) -> None:
    last = list(generate_people(PEOPLE, seed=settings.people_seed))[-1]
    inquiry = Inquiry(
        personal_number=last.personal_number,
        person=hash_person(last.personal_number, settings.hash_key),
        claim=read_personas()["match"].claim,
        agency="H26",
        purpose=None,
        officer=None,
        trace_id=None,
    )
    async with open_register(settings) as register:
        found = await register.look_up(inquiry)
    assert found.reported != "NOT_FOUND"


async def test_the_register_holds_no_number(settings: Settings) -> None:
    number = read_personas()["match"].personal_number
    async with open_database(settings) as sessions, sessions() as session:
        rows = await session.scalars(text("SELECT person::text FROM person"))
        assert not any(number in row for row in rows)
