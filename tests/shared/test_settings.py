"""What a process reads from its environment, and that `.env.example` names all of it."""

import os
import re
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from deploy.services import SERVICES
from shared.settings import CallKey, ServiceSettings

ROOT = Path(__file__).parents[2]
GIVEN = {
    "DATABASE_URL": "postgresql+asyncpg://role@db/dossier",
    "KAFKA_SERVERS": "kafka:9092",
    "DIGEST_KEY": "d" * 32,
    "EVENT_KEY": "-",
}


class Settings(ServiceSettings):
    name: str = "dossier_service"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SECRETS_DIR", raising=False)
    return monkeypatch


def test_secret_comes_from_a_file_of_its_name(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "database_password").write_text("p@ss/word\n")
    environment.setenv("SECRETS_DIR", str(tmp_path))
    settings = Settings.read()
    assert settings.database.password == "p@ss/word"
    assert settings.database.host == "db"
    assert "p@ss/word" not in repr(settings)


def test_file_of_a_secret_comes_before_a_variable(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "digest_key").write_text("f" * 32)
    environment.setenv("SECRETS_DIR", str(tmp_path))
    settings = Settings.read()
    assert settings.digest_key.get_secret_value() == "f" * 32
    assert settings.event_key.get_secret_value() == GIVEN["EVENT_KEY"]


def test_without_a_password_the_url_stays_as_it_is(environment: pytest.MonkeyPatch) -> None:
    assert Settings.read().database.render_as_string() == GIVEN["DATABASE_URL"]


def test_variable_called_name_does_not_rename_the_service(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("NAME", "DESKTOP-7")
    assert Settings.read().name == "dossier_service"


def test_key_of_the_stored_digests_is_given_and_long(environment: pytest.MonkeyPatch) -> None:
    """A random one would refuse each repeat that another process or a later start reads."""
    assert Settings.read().digest_key == Settings.read().digest_key
    for short in ("", "d" * 31):
        environment.setenv("DIGEST_KEY", short)
        with pytest.raises(ValidationError, match="digest_key"):
            Settings.read()
    environment.delenv("DIGEST_KEY")
    with pytest.raises(ValidationError, match="digest_key"):
        Settings.read()


def services() -> list[str]:
    return [name for name in SERVICES if find_spec(f"{name}.settings")]


def test_missing_variable_is_named_and_nothing_else_is_shown() -> None:
    environment = {"PATH": os.defpath, "KAFKA_SERVERS": "kafka:9092", "PORT": "many"}
    command = [sys.executable, "-m", "dossier_service", "work"]
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "DATABASE_URL" in ended.stderr
    assert "PORT" in ended.stderr
    assert "many" not in ended.stderr
    assert "Traceback" not in ended.stderr


def example() -> set[str]:
    """The variables of `.env.example`, also those that stand there commented out."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    found = (re.match(r"#?\s?([A-Z][A-Z0-9_]+)=", line) for line in lines)
    return {match[1] for match in found if match}


@pytest.mark.parametrize("service", services())
def test_example_names_every_setting_of_the_service(service: str) -> None:
    settings: type[ServiceSettings] = import_module(f"{service}.settings").Settings
    secret = {name for name in settings.model_fields if _is_secret(settings, name)}
    assert {
        name.upper() for name in settings.model_fields if name != "name" and name not in secret
    } - example() == set()


def _is_secret(settings: type[ServiceSettings], name: str) -> bool:
    return "Secret" in str(settings.model_fields[name].annotation)


@pytest.mark.parametrize(
    ("key", "is_fit"),
    [("k" * 31, False), ("k" * 32, True), ("k" * 64, True), ("k" * 65, False), ("ế" * 22, False)],
)
def test_call_key_has_as_many_bytes_as_a_code_can_be_keyed_with(key: str, is_fit: bool) -> None:
    keys = TypeAdapter(CallKey)
    if is_fit:
        assert keys.validate_python(key).get_secret_value() == key
        return
    with pytest.raises(ValidationError, match="a call key has 32 to 64 bytes"):
        keys.validate_python(key)
