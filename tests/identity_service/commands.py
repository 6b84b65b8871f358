"""The commands of the service, run in this process with the environment of its settings."""

from collections.abc import Mapping

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


def run_command(
    cli: typer.Typer,
    settings: Settings,
    *arguments: str,
    variables: Mapping[str, str | None] | None = None,
) -> Result:
    """Run it to its end. It needs a thread without a running event loop."""
    given = {"SECRETS_DIR": None} | environment(settings) | dict(variables or {})
    return CliRunner().invoke(cli, arguments, env=given)
