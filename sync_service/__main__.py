"""Run sync_service: `python -m sync_service serve|work|migrate|…`."""

from functools import partial

from shared.runtime.cli import Program, build_cli, serve_app
from sync_service.indicators.commands import verify_counters
from sync_service.main import create_app
from sync_service.rebuild import rebuild_projection
from sync_service.settings import Settings
from sync_service.worker import work

cli = build_cli(Program("sync_service", Settings, serve=partial(serve_app, create_app), work=work))
cli.command("verify-counters")(verify_counters)
cli.command("rebuild")(rebuild_projection)

if __name__ == "__main__":
    cli()
