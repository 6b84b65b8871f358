"""Give a client a public key on the machine: `python -m identity_service clients register-key`.

The command is for an installation where too few operators can sign on to do it by the API.
"""

from typing import Annotated

import typer

from identity_service.clients.jwk import read_public_key
from identity_service.clients.use_cases.installation import register_missing_key
from identity_service.settings import Settings
from shared.codes.time import utc_now
from shared.database.engine import open_database
from shared.runtime.invocation import run_async

commands = typer.Typer(no_args_is_help=True)


@commands.callback()
def _group_commands() -> None:
    """Manage clients without the API."""


@commands.command("register-key")
def _register_key(
    context: typer.Context,
    client_id: str,
    file: Annotated[
        typer.FileText, typer.Argument(help="a public key, PEM or JWK; - for standard input")
    ],
) -> None:
    """Give a client its public key where the operators have lost theirs."""
    settings: Settings = context.obj.settings

    async def add_key() -> str:
        jwk = read_public_key(file.read())
        async with open_database(settings) as sessions, sessions.begin() as session:
            await register_missing_key(session, client_id, jwk, now=utc_now())
        return jwk["kid"]

    try:
        kid = run_async(add_key)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    typer.echo(f"{client_id} has the key {kid}")
