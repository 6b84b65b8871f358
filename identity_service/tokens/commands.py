"""The keys that sign access tokens, and the key of a client that has none.

`python -m identity_service.tokens.commands rotate` adds the next key. It is published at once and
signs after `LEAD`, when every cache of the old key set has ended; the old key is published until
the last token that it signed has ended too.

`python -m identity_service.tokens.commands register CLIENT_ID KEY_FILE` gives a client its public
key where too few operators are left that can sign on to do it by the API.
"""

import asyncio
from collections.abc import Mapping
from typing import Annotated

import typer

from identity_service.clients.jwk import read_public_key
from identity_service.clients.use_cases.installation import register_missing_key
from identity_service.settings import Settings
from identity_service.tokens.models import SigningKey
from identity_service.tokens.signing_keys import rotate
from shared.codes.time import utc_now
from shared.database.engine import open_database
from shared.database.session import SessionFactory


async def register(sessions: SessionFactory, client_id: str, jwk: Mapping[str, str]) -> None:
    """`jwk` as `checked_public_jwk` gives it. ValueError: no such client, or the kid is taken."""
    async with sessions.begin() as session:
        await register_missing_key(session, client_id, jwk, now=utc_now())


cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@cli.callback()
def main() -> None:
    """The keys that sign access tokens, and the key of a client that has none."""


@cli.command("rotate")
def _rotate() -> None:
    """Publish the next key now; it signs when every cache of the key set has ended."""
    settings = Settings.read()

    async def add_next() -> SigningKey:
        async with open_database(settings) as sessions:
            return await rotate(sessions, settings.key_encryption_key)

    key = asyncio.run(add_next())
    typer.echo(f"{key.kid} signs from {key.signs_from:%Y-%m-%d %H:%M:%S} UTC")


@cli.command("register")
def _register(
    client_id: str,
    file: Annotated[
        typer.FileText, typer.Argument(help="a public key, PEM or JWK; - for standard input")
    ],
) -> None:
    """Give a client its public key without the API, where operators have lost theirs."""
    settings = Settings.read()

    async def give_key() -> str:
        jwk = read_public_key(file.read())
        async with open_database(settings) as sessions:
            await register(sessions, client_id, jwk)
        return jwk["kid"]

    try:
        kid = asyncio.run(give_key())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    typer.echo(f"{client_id} has the key {kid}")


if __name__ == "__main__":
    cli()
