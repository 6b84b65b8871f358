"""Run identity_service: `python -m identity_service serve|work|migrate|…`."""

from functools import partial

from identity_service.main import create_app
from identity_service.seed import seed
from identity_service.settings import Settings
from identity_service.worker import work
from shared.runtime.cli import Program, build_cli, serve_app

cli = build_cli(
    Program(
        "identity_service", Settings, serve=partial(serve_app, create_app), work=work, seed=seed
    )
)

if __name__ == "__main__":
    cli()
