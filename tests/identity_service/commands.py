"""The feature commands of the service, run in this process with its settings."""

from types import SimpleNamespace

import typer
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from identity_service.settings import Settings

REQUIRED = (
    "database_url",
    "kafka_servers",
    "call_key",
    "digest_key",
    "event_key",
    "person_hash_key",
    "key_encryption_key",
    "sandbox",
)


def environment(settings: Settings) -> dict[str, str]:
    values = {name: getattr(settings, name) for name in REQUIRED}
    return {
        name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
    }


def run_command(commands: typer.Typer, settings: Settings, *arguments: str) -> Result:
    """Run a command to its end, in a thread without a running event loop."""
    return CliRunner().invoke(commands, arguments, obj=SimpleNamespace(settings=settings))
