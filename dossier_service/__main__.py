"""Run dossier_service: `python -m dossier_service serve|work|migrate|…`."""

from functools import partial

from dossier_service.catalogue import commands as catalogue
from dossier_service.main import create_app
from dossier_service.seed import seed
from dossier_service.settings import Settings
from dossier_service.worker import work
from shared.runtime.cli import Program, build_cli, serve_app

cli = build_cli(
    Program("dossier_service", Settings, serve=partial(serve_app, create_app), work=work, seed=seed)
)
cli.add_typer(catalogue.commands, name="catalogue")

if __name__ == "__main__":
    cli()
