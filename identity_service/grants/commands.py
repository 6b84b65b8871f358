"""Register the first operators of an installation, on its machine.

Nobody can call the API of a new installation, as each call needs a right that an operator gave.
`python -m identity_service operators register … CLIENT_ID=KEY_FILE CLIENT_ID=KEY_FILE` registers
two operators or more, once. Their grants name this command and the officer that ran it, and are
published on the axis like any other grant.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from identity_service.clients.jwk import read_public_key
from identity_service.grants.use_cases.first_operators import (
    FirstOperators,
    register_first_operators,
)
from identity_service.settings import Settings
from shared.codes.time import day_in_viet_nam, utc_now
from shared.database.engine import open_database
from shared.runtime.invocation import run_async
from shared.web.problems import Problem

commands = typer.Typer(no_args_is_help=True)


@commands.callback()
def _group_commands() -> None:
    """Manage the operators with which an installation begins."""


@commands.command("register")
def _register_operators(
    context: typer.Context,
    operators: Annotated[
        list[str],
        typer.Argument(
            metavar="CLIENT_ID=KEY_FILE",
            help="two or more, each with the public key (PEM or JWK) that one person holds",
        ),
    ],
    *,
    agency: Annotated[str, typer.Option(help="code of the agency that runs the mesh")],
    officer: Annotated[str, typer.Option(help="id of the officer who registers them; no name")],
    legal_basis: Annotated[
        str, typer.Option(help="legal text that is the basis of their right to do all")
    ],
    name: Annotated[str, typer.Option(help="name of the systems")] = "Vận hành trục liên thông",
) -> None:
    """Register the first operators; the command refuses where the installation has any."""
    settings: Settings = context.obj.settings
    try:
        first = FirstOperators.model_validate(
            {
                "agency": agency,
                "name": name,
                "officer": officer,
                "legal_basis": legal_basis,
                "keys": dict(_read_keys(operators)),
            }
        )
        ids = run_async(lambda: _add_operators(settings, first))
    except ValidationError as error:
        raise typer.BadParameter("; ".join(_describe_faults(error))) from None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    except Problem as problem:
        raise typer.BadParameter(f"{problem.title}. {problem.detail}") from None
    typer.echo(f"registered: {', '.join(ids)}; each signs on by its key (private_key_jwt)")


def _read_keys(operators: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    seen = set[str]()
    for operator in operators:
        client_id, _, file = operator.partition("=")
        if not file:
            raise ValueError("name each operator as CLIENT_ID=KEY_FILE")
        if client_id in seen:
            raise ValueError(f"{client_id} is named twice: each operator has an id of its own")
        seen.add(client_id)
        try:
            text = Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise ValueError(f"{file} cannot be read as text: is it the public key?") from None
        yield client_id, read_public_key(text)


def _describe_faults(error: ValidationError) -> Iterator[str]:
    """Yield the place and cause of each fault, without values: one might be a personal number."""
    for fault in error.errors(include_input=False, include_url=False):
        where = ".".join(str(part) for part in fault["loc"][:1])
        message = fault["msg"].removeprefix("Value error, ")
        yield f"{where}: {message}" if where else message


async def _add_operators(settings: Settings, first: FirstOperators) -> Sequence[str]:
    now = utc_now()
    async with open_database(settings) as sessions, sessions.begin() as session:
        return await register_first_operators(session, first, now=now, today=day_in_viet_nam(now))
