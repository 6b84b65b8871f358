"""The command that verifies the counters: `python -m sync_service verify-counters`."""

import typer

from shared.runtime.invocation import run_in_session
from sync_service.indicators import use_cases

MAX_SHOWN = 100


def verify_counters(context: typer.Context) -> None:
    """Compare the stored counters with a count of every dossier; end with 1 where they differ."""
    check: use_cases.CounterCheck = run_in_session(
        context.obj.settings, use_cases.verify_counters, reads_every_row=True
    )
    wrong = len(check.differences)
    for line in check.differences[:MAX_SHOWN]:
        typer.echo(line)
    if wrong > MAX_SHOWN:
        typer.echo(f"and {wrong - MAX_SHOWN:,} more")
    verdict = f"{wrong:,} DIFFER" if wrong else "all equal a recount"
    typer.echo(f"{check.compared:,} counters: {verdict}")
    if wrong:
        raise typer.Exit(1)
