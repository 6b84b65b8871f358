"""Run the gateway: `python -m gateway serve|work|migrate|…`."""

from gateway.ledger.commands import verify_ledger
from gateway.main import serve
from gateway.settings import Settings
from gateway.worker import work
from shared.runtime.cli import Program, build_cli

cli = build_cli(Program("gateway", Settings, serve=serve, work=work))
cli.command("verify-ledger")(verify_ledger)

if __name__ == "__main__":
    cli()
