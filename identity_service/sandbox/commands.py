"""Put N synthetic people into the register: `python -m identity_service.sandbox.commands`."""

import asyncio
import time
from typing import Annotated

import typer

from identity_service.sandbox.load_people import AnotherSeedError, load_people
from identity_service.settings import Settings

cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@cli.command()
def main(
    count: Annotated[int, typer.Option(min=0, help="how many the register is to hold")],
    seed: Annotated[int | None, typer.Option(help="PEOPLE_SEED where it is left out")] = None,
) -> None:
    """A second time the same changes nothing; a larger number adds what lacks."""
    settings = Settings.read()
    if not settings.sandbox:
        raise typer.BadParameter("synthetic people are for a sandbox alone: set SANDBOX=true")
    chosen = settings.people_seed if seed is None else seed
    started = time.perf_counter()
    try:
        added = asyncio.run(load_people(settings, count, seed=chosen, progress=_tell))
    except AnotherSeedError as error:
        raise typer.BadParameter(str(error), param_hint="--seed") from None
    seconds = time.perf_counter() - started
    typer.echo(f"{added:,} people added in {seconds:.1f} s, {added / seconds:,.0f} people/s")


def _tell(held: int) -> None:
    typer.echo(f"{held:,} people in the register")


if __name__ == "__main__":
    cli()
