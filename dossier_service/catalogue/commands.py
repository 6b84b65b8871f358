"""The commands of the catalogue: `python -m dossier_service catalogue import FILE | announce`."""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from dossier_service.catalogue.own_procedures import read_own_procedures
from dossier_service.catalogue.portal_import.checking import check_published
from dossier_service.catalogue.portal_import.reader import PublishedFileTooLargeError, read_lines
from dossier_service.catalogue.use_cases import (
    ImportOutcome,
    announce_all_procedures,
    import_catalogue_file,
    read_catalogue_file,
)
from shared.codes.time import utc_now
from shared.runtime.invocation import run_in_session

commands = typer.Typer(
    no_args_is_help=True, help="The national catalogue of administrative procedures."
)


@commands.command("import")
def import_catalogue(
    context: typer.Context,
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
        published = read_catalogue_file(file)
    except PublishedFileTooLargeError as error:
        sys.exit(f"this file is no catalogue: {error}")
    outcome: ImportOutcome = run_in_session(
        context.obj.settings,
        lambda session: import_catalogue_file(
            session, published, read_own_procedures(), now=utc_now()
        ),
    )
    typer.echo(outcome.model_dump_json(indent=2) if as_json else str(outcome))
    if outcome.report and outcome.report.refused:
        raise typer.Exit(1)


@commands.command("announce")
def announce_catalogue(context: typer.Context) -> None:
    """Announce every procedure in force once more.

    A service that begins to read the catalogue needs this when the broker no longer has the events.
    An announcement of a procedure that the service has changes nothing there.
    """
    count = run_in_session(context.obj.settings, announce_all_procedures)
    typer.echo(f"{count} procedures announced")


def _check_file(file: Path, *, as_json: bool) -> NoReturn:
    try:
        report = check_published(read_lines(file))
    except PublishedFileTooLargeError as error:
        sys.exit(f"this file is no catalogue: {error}")
    typer.echo(report.model_dump_json(indent=2) if as_json else str(report))
    raise typer.Exit(1 if report.unexplained else 0)
