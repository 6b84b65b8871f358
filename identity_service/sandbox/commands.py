"""Fill the register with synthetic people: `python -m identity_service people load --count N`."""

import time
from typing import Annotated

import typer

from identity_service.sandbox.load_people import AnotherSeedError, load_people
from identity_service.settings import Settings
from shared.runtime.invocation import run_async

commands = typer.Typer(no_args_is_help=True)


@commands.callback()
def _group_commands() -> None:
    """Manage the synthetic people of a sandbox."""


@commands.command("load")
def _load_people(
    context: typer.Context,
    count: Annotated[int, typer.Option(min=0, help="how many the register is to hold")],
    seed: Annotated[int | None, typer.Option(help="PEOPLE_SEED where it is left out")] = None,
) -> None:
    """Bring the register to a number of people; a repetition with the same number adds none."""
    settings: Settings = context.obj.settings
    if not settings.sandbox:
        raise typer.BadParameter("synthetic people are for a sandbox alone: set SANDBOX=true")
    chosen = settings.people_seed if seed is None else seed
    started = time.perf_counter()
    try:
        added = run_async(
            lambda: load_people(settings, count, seed=chosen, progress=_report_progress)
        )
    except AnotherSeedError as error:
        raise typer.BadParameter(str(error), param_hint="--seed") from None
    seconds = time.perf_counter() - started
    typer.echo(f"{added:,} people added in {seconds:.1f} s, {added / seconds:,.0f} people/s")


def _report_progress(loaded: int) -> None:
    typer.echo(f"{loaded:,} people in the register")
