"""The commands of every service for dead letters."""

import json
from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from shared.messaging.dead_letters import DeadLetterState
from shared.runtime import operator_routes
from shared.runtime.invocation import run_in_session

commands = typer.Typer(no_args_is_help=True, help="Messages that could not be handled.")


@commands.command("list")
def _list_letters(context: typer.Context, state: DeadLetterState = "open") -> None:
    """Print one line of JSON for each dead letter."""
    letters = run_in_session(
        context.obj.settings, lambda s: operator_routes.list_dead_letters(s, state)
    )
    if not letters:
        typer.echo(f"{context.obj.settings.name}: no dead letter is {state}", err=True)
    for letter in letters:
        typer.echo(operator_routes.DeadLetterOut.model_validate(letter).model_dump_json())


@commands.command("show")
def _show_letter(context: typer.Context, letter_id: UUID) -> None:
    """Print a dead letter with its headers, content and reason."""
    letter = run_in_session(
        context.obj.settings, lambda s: operator_routes.read_dead_letter(s, letter_id)
    )
    members = operator_routes.DeadLetterOut.model_validate(letter).model_dump(mode="json")
    content = letter.value.decode(errors="replace")
    typer.echo(json.dumps(members | {"content": content}, indent=2, ensure_ascii=False))


@commands.command("replay")
def _replay_letters(
    context: typer.Context,
    letter_ids: Annotated[list[UUID] | None, typer.Argument()] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="replay all open dead letters")] = False,
) -> None:
    """Let the worker handle dead letters again: all of them, or none if one is settled."""
    if bool(letter_ids) == every:
        raise typer.BadParameter("name the letters, or say --all")

    async def replay_letters(session: AsyncSession) -> int:
        if every:
            return await operator_routes.replay_open_letters(session)
        for letter_id in letter_ids or ():
            await operator_routes.replay_dead_letter(session, letter_id)
        return len(letter_ids or ())

    count = run_in_session(context.obj.settings, replay_letters)
    typer.echo(f"{count} are handled once more")


@commands.command("discard")
def _discard_letter(context: typer.Context, letter_id: UUID) -> None:
    """Mark a dead letter as needing no handling; it stays on record."""
    run_in_session(
        context.obj.settings, lambda s: operator_routes.discard_dead_letter(s, letter_id)
    )
