"""No process starts with other secrets than those that the data in its database was made with."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr
from sqlalchemy import select

from deploy.secrets import ed25519_key, key_encryption_key, make_secrets
from deploy.services import SERVICES
from shared.crypto.ed25519 import KeyUnfitError, read_private_key
from shared.database.engine import open_database
from shared.runtime.secret_checks import SecretCheck, SecretsChangedError, require_kept_secrets
from shared.settings import ServiceSettings
from tests.conftest import Databases
from tests.support.templates import SETTINGS
from tests.support.waiting import PATIENCE_S

ROOT = Path(__file__).parents[3]
# Nothing that is stored depends on these: they let processes in, or prove one call.
NOT_KEPT = {"database_password", "kafka_password", "call_key", "rights_key", "source_api_key"}
KEPT = [(service, name) for service in SERVICES for name in SETTINGS[service].kept_secrets]
ANOTHER: Mapping[str, Callable[[], str]] = {
    "digest_key": lambda: "f0" * 32,
    "event_key": ed25519_key,
    "ledger_key": ed25519_key,
    "person_hash_key": lambda: "f0" * 32,
    "key_encryption_key": key_encryption_key,
}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets")
    make_secrets(folder)
    return folder


def make_settings(service: str, url: str, secrets: Path, **over: Any) -> ServiceSettings:
    """Return the settings of a process that reads these secrets, some of them replaced."""
    return SETTINGS[service](
        name=service,
        database_url=url,
        kafka_servers="127.0.0.1:1",
        _secrets_dir=str(secrets / service),
        **over,
    )


def public_pem(private: str) -> str:
    key = read_private_key("event_key", SecretStr(private)).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


async def read_values(settings: ServiceSettings) -> dict[str, str]:
    async with open_database(settings) as sessions, sessions() as session:
        return {row.name: row.value for row in await session.scalars(select(SecretCheck))}


@pytest.mark.parametrize(("service", "name"), KEPT)
async def test_other_secret_than_that_of_the_data_is_refused_by_its_name(
    service: str, name: str, postgres: Databases, secrets: Path
) -> None:
    url = postgres.migrated_url(service)
    settings = make_settings(service, url, secrets)
    await require_kept_secrets(settings)
    await require_kept_secrets(settings)
    stored = await read_values(settings)
    assert stored.keys() == settings.kept_secrets.keys()

    foreign = make_settings(service, url, secrets, **{name: ANOTHER[name]()})
    with pytest.raises(SecretsChangedError, match=f"^{name} in .* differs from the one "):
        await require_kept_secrets(foreign)
    assert await read_values(settings) == stored


@pytest.mark.parametrize("service", SERVICES)
def test_each_secret_is_compared_unless_no_data_depends_on_it(service: str) -> None:
    fields = SETTINGS[service].model_fields.items()
    secret = {name for name, field in fields if "Secret" in str(field.annotation)}
    others = {name for name in secret - NOT_KEPT if not name.endswith("_call_key")}
    assert others == {*SETTINGS[service].kept_secrets}


async def test_processes_that_start_at_once_agree_on_the_secrets_of_one(
    postgres: Databases, secrets: Path
) -> None:
    url = postgres.migrated_url("sync_service")
    own = make_settings("sync_service", url, secrets)
    foreign = make_settings("sync_service", url, secrets, digest_key="f0" * 32)
    starts = [require_kept_secrets(settings) for settings in (own, foreign) * 4]
    outcomes = await asyncio.gather(*starts, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, SecretsChangedError)]
    assert [outcome for outcome in outcomes if outcome] == refused
    assert len(refused) == 4
    assert len({outcomes.index(outcome) % 2 for outcome in refused}) == 1


@pytest.mark.parametrize(
    ("service", "name"), [("sync_service", "event_key"), ("gateway", "ledger_key")]
)
async def test_signing_key_is_replaced_where_the_earlier_one_stays_published(
    service: str, name: str, postgres: Databases, secrets: Path
) -> None:
    url = postgres.migrated_url(service)
    before = make_settings(service, url, secrets)
    await require_kept_secrets(before)
    retired, new = before.kept_secrets[name], ed25519_key()
    assert retired
    earlier = public_pem(getattr(before, name).get_secret_value())
    await require_kept_secrets(
        make_settings(service, url, secrets, **{name: new, retired: earlier})
    )
    with pytest.raises(SecretsChangedError, match=name):
        await require_kept_secrets(before)
    # A process that publishes the next key before it signs starts as well.
    await require_kept_secrets(make_settings(service, url, secrets, **{retired: public_pem(new)}))


async def test_text_that_is_no_key_is_refused(postgres: Databases, secrets: Path) -> None:
    url = postgres.migrated_url("sync_service")
    settings = make_settings("sync_service", url, secrets, event_key="")
    with pytest.raises(KeyUnfitError, match="event_key"):
        await require_kept_secrets(settings)


def run_sync(url: str, secrets: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    own = {"DATABASE_URL": url, "KAFKA_SERVERS": "127.0.0.1:1"}
    return subprocess.run(
        [sys.executable, "-m", "sync_service", *words],
        env=os.environ | own | {"SECRETS_DIR": str(secrets / "sync_service")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def test_start_without_the_secrets_of_the_data_ends_in_one_sentence_until_one_is_accepted(
    postgres: Databases, secrets: Path, tmp_path: Path
) -> None:
    url = postgres.migrated_url("sync_service")
    assert run_sync(url, secrets, "prepare").returncode == 0

    make_secrets(tmp_path)  # as where the folder was lost
    for task in ("prepare", "seed", "serve", "work", "replay"):
        ended = run_sync(url, tmp_path, task)
        assert ended.returncode == 1
        assert ended.stderr.startswith(
            f"sync_service: digest_key and event_key in {tmp_path / 'sync_service'} differ from "
        )
        assert "docs/backup.md" in ended.stderr
        assert ended.stderr.count("\n") == 1

    for name in ("digest_key", "event_key"):
        assert run_sync(url, tmp_path, "accept-secret", name).returncode == 0
    assert run_sync(url, tmp_path, "seed").returncode == 0
    assert run_sync(url, secrets, "seed").returncode == 1
    assert run_sync(url, tmp_path, "accept-secret", "call_key").returncode == 2
