"""Run identity_service: `python -m identity_service serve|work|migrate|operators|…`."""

from functools import partial

from identity_service.clients.commands import commands as client_commands
from identity_service.grants.commands import commands as operator_commands
from identity_service.main import create_app
from identity_service.sandbox.commands import commands as people_commands
from identity_service.seed import seed
from identity_service.settings import Settings
from identity_service.tokens.commands import commands as signing_key_commands
from identity_service.worker import work
from shared.runtime.cli import Program, build_cli, serve_app

cli = build_cli(
    Program(
        "identity_service", Settings, serve=partial(serve_app, create_app), work=work, seed=seed
    )
)
cli.add_typer(operator_commands, name="operators")
cli.add_typer(client_commands, name="clients")
cli.add_typer(signing_key_commands, name="signing-keys")
cli.add_typer(people_commands, name="people")

if __name__ == "__main__":
    cli()
