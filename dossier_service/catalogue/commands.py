"""The commands of the catalogue: `python -m dossier_service.catalogue.commands --help`."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from pydantic import ValidationError

from dossier_service.catalogue.own_procedures import read_own_procedures
from dossier_service.catalogue.portal_import.checking import check_published
from dossier_service.catalogue.portal_import.reader import PublishedFileTooLargeError, read_lines
from dossier_service.catalogue.use_cases import (
    ImportOutcome,
    PublishedFile,
    announce_all_procedures,
    import_catalogue_file,
    read_catalogue_file,
)
from dossier_service.settings import Settings
from shared.database.engine import open_database

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@cli.command("import")
def import_catalogue(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
    check: Annotated[bool, typer.Option("--check", help="compare, and publish nothing")] = False,
) -> None:
    """Publish the procedures of a file and report on each, or check the reading of the file.

    The file holds one JSON object a line, plain or gzipped, as the national portal publishes them.
    A procedure whose content is new becomes a version; every line is counted, and each refused line
    is named with the reason. The exit code is 1 where lines were refused. With `--check` the
    command compares its reading with the text of the file, needs no database, and exits with 1
    where they differ unexplained.
    """
    if check:
        _check_file(file, as_json=as_json)
    try:
        settings = Settings.read()
    except ValidationError as error:
        sys.exit(f"these settings are missing or wrong: {[e['loc'][0] for e in error.errors()]}")
    try:
        published = read_catalogue_file(file)
    except PublishedFileTooLargeError as error:
        sys.exit(f"this file is no catalogue: {error}")
    outcome = asyncio.run(_import_file(settings, published))
    typer.echo(outcome.model_dump_json(indent=2) if as_json else str(outcome))
    if outcome.report and outcome.report.refused:
        raise typer.Exit(1)


@cli.command("announce")
def announce_catalogue() -> None:
    """Announce every procedure in force once more.

    A service that begins to read the catalogue needs this when the broker no longer has the events.
    An announcement of a procedure that the service has changes nothing there.
    """
    typer.echo(f"{asyncio.run(announce_procedures(Settings.read()))} procedures announced")


async def announce_procedures(settings: Settings) -> int:
    async with open_database(settings) as sessions, sessions.begin() as session:
        return await announce_all_procedures(session)


def _check_file(file: Path, *, as_json: bool) -> NoReturn:
    try:
        report = check_published(read_lines(file))
    except PublishedFileTooLargeError as error:
        sys.exit(f"this file is no catalogue: {error}")
    typer.echo(report.model_dump_json(indent=2) if as_json else str(report))
    raise typer.Exit(1 if report.unexplained else 0)


async def _import_file(settings: Settings, file: PublishedFile) -> ImportOutcome:
    async with open_database(settings) as sessions, sessions.begin() as session:
        return await import_catalogue_file(
            session, file, read_own_procedures(), now=datetime.now(UTC)
        )


if __name__ == "__main__":
    cli()
