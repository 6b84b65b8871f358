"""An installation in use gets its first operators by a command on its machine, once."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwt.algorithms import OKPAlgorithm
from sqlalchemy import func, select, text
from typer.testing import Result

from identity_service.clients.jwk import read_public_key
from identity_service.clients.models import Client, ClientKey
from identity_service.grants.commands import commands
from identity_service.grants.models import Grant
from identity_service.grants.use_cases.first_operators import REGISTERED_BY
from identity_service.sandbox.seed import NotASandboxError
from identity_service.seed import seed
from identity_service.settings import Settings
from shared.crypto.thumbprint import compute_thumbprint
from shared.database.engine import open_database
from tests.conftest import Databases
from tests.identity_service.calls import Identity
from tests.identity_service.client_acts import ADD_KEY, CLIENTS, public
from tests.identity_service.commands import environment, run_command
from tests.identity_service.conftest import make_settings, serving
from tests.identity_service.signing_in import ask_signed, assertion, verified
from tests.support.factories import TestAuthority

ONE, OTHER = Ed25519PrivateKey.generate(), generate_ec(SECP256R1())
ROOT = Path(__file__).parents[3]
LEGAL_BASIS = "QĐ 06/QĐ-TTg"


def public_pem(key: PrivateKeyTypes) -> str:
    form = PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(Encoding.PEM, form).decode()


def private_pem(key: PrivateKeyTypes) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


async def prepared(postgres: Databases, **over: object) -> Settings:
    settings = make_settings(postgres.migrated_url("identity_service"), sandbox=False, **over)
    await seed(settings)
    return settings


@pytest.fixture(scope="module")
async def empty(postgres: Databases) -> Settings:
    """Of an installation without operators; no test here adds any to it."""
    return await prepared(postgres)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "one.pem").write_text(public_pem(ONE))
    (tmp_path / "other.pem").write_text(public_pem(OTHER))
    return tmp_path


async def register(settings: Settings, *operators: str, **over: str) -> Result:
    options = {"agency": "G22", "officer": "officer-17", "legal-basis": LEGAL_BASIS}
    given = [f"--{name}={value}" for name, value in (options | over).items()]
    return await asyncio.to_thread(run_command, commands, settings, "register", *given, *operators)


def two(folder: Path) -> tuple[str, str]:
    return f"operator-one={folder / 'one.pem'}", f"operator-two={folder / 'other.pem'}"


@pytest.fixture
async def begun(postgres: Databases, folder: Path) -> AsyncIterator[Identity]:
    """An installation whose operators were registered by the command."""
    settings = await prepared(postgres)
    ended = await register(settings, *two(folder))
    assert ended.exit_code == 0, ended.output
    async with serving(settings, TestAuthority()) as identity:
        yield identity


async def count_clients(settings: Settings) -> int:
    async with open_database(settings) as sessions, sessions() as session:
        return await session.scalar(select(func.count()).select_from(Client)) or 0


async def test_operators_sign_on_by_their_keys_and_administer(begun: Identity) -> None:
    for client, key in (("operator-one", ONE), ("operator-two", OTHER)):
        kid = compute_thumbprint(read_public_key(public_pem(key)))
        signed = assertion(key, headers={"kid": kid}, iss=client, sub=client)
        answer = await ask_signed(begun, signed)
        assert answer.status_code == 200, answer.text
        claims = await verified(begun, answer.json()["access_token"])
        assert (claims["sub"], claims["agency"], claims["kind"]) == (client, "G22", "production")
    one, other = ("operator-one", "G22"), ("operator-two", "G22")
    new = {"client_id": "hospital", "agency": "G18", "name": "x", "kind": "production"}
    assert (await begun.call(CLIENTS, by=one, json=new)).status_code == 201
    act: dict[str, Any] = {
        "at": {"client_id": "hospital"},
        "json": public(Ed25519PrivateKey.generate(), "first"),
    }
    assert (await begun.call(ADD_KEY, by=one, **act)).status_code == 202
    assert (await begun.call(ADD_KEY, by=other, **act)).status_code == 201


async def test_registration_stays_on_record_and_is_published(begun: Identity) -> None:
    listed = await begun.call("GET /identity/v1/grants", by=("operator-one", "G22"))
    grants = listed.json()["items"]
    assert {grant["client_id"] for grant in grants} == {"operator-one", "operator-two"}
    for grant in grants:
        assert (grant["given_by"], grant["given_by_officer"]) == (REGISTERED_BY, "officer-17")
        assert (grant["operations"], grant["legal_basis"]) == (["*"], LEGAL_BASIS)
    async with begun.app.state.sessions() as session:
        query = text(
            "SELECT headers->>'ce_type' FROM outbox UNION ALL SELECT headers->>'ce_type'"
            " FROM outbox_sent"
        )
        types = list(await session.scalars(query))
    assert types.count("identity.client.changed.v1") == 2
    assert types.count("identity.grant.changed.v1") == 2


async def test_operators_are_registered_once(begun: Identity, folder: Path) -> None:
    others = f"operator-3={folder / 'one.pem'}", f"operator-4={folder / 'other.pem'}"
    ended = await register(begun.settings, *others)
    assert ended.exit_code == 2
    assert "has operators" in ended.output
    async with begun.app.state.sessions.begin() as session:
        for client in await session.scalars(select(Client)):
            client.set_active(active=False)
    assert (await register(begun.settings, *others)).exit_code == 2
    assert await count_clients(begun.settings) == 2


async def test_of_two_registrations_at_once_one_is_refused(
    postgres: Databases, folder: Path
) -> None:
    settings = await prepared(postgres)
    command = ["--agency=G22", "--officer=officer-17", f"--legal-basis={LEGAL_BASIS}"]
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "identity_service", "operators", "register", *command),
            *(f"operator-{number}-{file}={folder / file}.pem" for file in ("one", "other")),
            env={**os.environ, **environment(settings)},
            cwd=ROOT,
            stderr=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
        )
        for number in range(2)
    ]
    codes = [await process.wait() for process in processes]
    assert sorted(codes) == [0, 2]
    assert await count_clients(settings) == 2


async def test_sandbox_has_operators_already(settings: Settings, folder: Path) -> None:
    ended = await register(settings, *two(folder))
    assert ended.exit_code == 2
    assert "has operators" in ended.output


async def test_installation_with_operators_of_its_own_becomes_no_sandbox(begun: Identity) -> None:
    with pytest.raises(NotASandboxError, match="empty database"):
        await seed(begun.settings.model_copy(update={"sandbox": True}))
    assert await count_clients(begun.settings) == 2


Files = Callable[[Path], tuple[str, ...]]
REFUSED: dict[str, tuple[Files, dict[str, str], str]] = {
    "one operator": (lambda f: two(f)[:1], {}, "two operators or more"),
    "one key for two": (
        lambda f: (f"operator-one={f / 'one.pem'}", f"operator-two={f / 'one.pem'}"),
        {},
        "a key of its own",
    ),
    "one id for two": (
        lambda f: (f"operator-one={f / 'one.pem'}", f"operator-one={f / 'other.pem'}"),
        {},
        "an id of its own",
    ),
    "an id that is none": (lambda f: (f"Operator={f / 'one.pem'}", two(f)[1]), {}, "keys: "),
    "an id without a file": (lambda f: ("operator-one", two(f)[1]), {}, "CLIENT_ID=KEY_FILE"),
    "no such file": (lambda f: (f"operator-one={f / 'none'}", two(f)[1]), {}, "cannot be read"),
    "a private key": (lambda f: with_key(f, private_pem(ONE)), {}, "has now left your system"),
    "a weak key": (lambda f: with_key(f, public_pem(generate_rsa(65537, 1024))), {}, "2048"),
    "a curve that is not taken": (
        lambda f: with_key(f, public_pem(generate_ec(SECP384R1()))),
        {},
        "P-256",
    ),
    "a file of another kind": (lambda f: with_key(f, "ssh-ed25519 AAAA"), {}, "Invalid value"),
    "a list": (lambda f: with_key(f, "[]"), {}, "JSON Web Key"),
    "an unknown agency": (two, {"agency": "G99"}, "registry holds no such agency"),
    "an agency that is none": (two, {"agency": "x"}, "agency: "),
    "no officer": (two, {"officer": " "}, "officer: "),
    "a name with an address": (two, {"officer": "Trần Thị Bình, ngõ 5"}, "officer: "),
    "no legal basis": (two, {"legal-basis": ""}, "legal_basis: "),
    "a reason that is no legal text": (
        two,
        {"legal-basis": "theo lời chị Trần Thị Bình"},
        "NĐ 118/2025/NĐ-CP",
    ),
    "a personal number": (two, {"officer": "001090000001"}, "officer: "),
}


def with_key(folder: Path, content: str) -> tuple[str, ...]:
    (folder / "wrong").write_text(content)
    return f"operator-one={folder / 'wrong'}", two(folder)[1]


@pytest.mark.parametrize("case", REFUSED)
async def test_refused_registration_says_why_and_adds_nothing(
    empty: Settings, folder: Path, case: str
) -> None:
    operators, over, words = REFUSED[case]
    ended = await register(empty, *operators(folder), **over)
    assert ended.exit_code == 2
    assert words in " ".join(ended.output.replace("│", " ").split())
    assert "001090000001" not in ended.output
    assert "Bình" not in ended.output
    assert await count_clients(empty) == 0
    async with open_database(empty) as sessions, sessions() as session:
        assert not await session.scalar(select(func.count()).select_from(ClientKey))
        assert not await session.scalar(select(func.count()).select_from(Grant))


@pytest.mark.parametrize(
    "key", [ONE, OTHER, generate_rsa(65537, 2048)], ids=lambda key: type(key).__name__
)
def test_key_file_is_pem_or_jwk(key: PrivateKeyTypes) -> None:
    of_pem = read_public_key(public_pem(key))
    assert of_pem["kid"] == compute_thumbprint(of_pem)
    assert read_public_key(json.dumps(of_pem)) == of_pem
    if isinstance(key, Ed25519PrivateKey):
        assert of_pem["x"] == OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)["x"]
