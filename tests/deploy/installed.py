"""A stack that was installed and is stopped: databases with some rows, and the secrets."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from deploy.dev_stack.stack import ROOT, Stack, own_ports, read_stack
from deploy.postgres import as_superuser, make_databases
from deploy.process import running
from deploy.run_sync import run_apart
from deploy.secrets import make_secrets
from deploy.services import SERVICES
from shared.crypto.ed25519 import read_private_key
from tests.gateway.ledger.ledgers import Store, fill
from tests.support.waiting import PATIENCE_S


@dataclass(frozen=True)
class Installed:
    """An installation of its own folder; its commands run in processes of their own."""

    directory: Path
    ports: Mapping[str, str]

    @property
    def environment(self) -> Mapping[str, str]:
        own = {"RUN_DIR": str(self.directory), "PEOPLE": "20", **self.ports}
        return {**os.environ, **own}

    @property
    def stack(self) -> Stack:
        return read_stack(self.environment)

    def run(self, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            words,
            cwd=ROOT,
            env={**self.environment, "PYTHONPATH": str(ROOT), **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S * 4,
        )

    def back_up(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return self.run(sys.executable, "-m", "deploy.backup", *words)

    def run_service(self, service: str, *words: str) -> None:
        environment = self.stack.service_environment(SERVICES[service])
        done = self.run(
            sys.executable,
            "-m",
            service,
            *words,
            **{**environment, "KAFKA_SERVERS": "127.0.0.1:1"},
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def fetch(self, service: str, query: str) -> Any:
        """Return the one value of the query; the server must run."""

        async def fetch() -> Any:
            database = SERVICES[service].database
            async with as_superuser(self.stack.admin_url, database) as connection:
                return await connection.fetchval(query)

        return run_apart(fetch())

    def execute(self, service: str, statement: str) -> None:
        """Execute it past all triggers; the server must run."""

        async def execute() -> None:
            database = SERVICES[service].database
            async with as_superuser(self.stack.admin_url, database) as connection:
                await connection.execute("SET session_replication_role = replica")
                await connection.execute(statement)

        run_apart(execute())

    def count_rows(self) -> dict[str, int]:
        """Count rows that are there at the end of `install`, with the server for the time."""
        self.stack.log("postgres").parent.mkdir(exist_ok=True)
        with running(self.stack.postgres):
            return {
                table: self.fetch(service, f"SELECT count(*) FROM {table}")
                for service, table in (
                    ("identity_service", "agency"),
                    ("identity_service", "person"),
                    ("gateway", "access_record"),
                )
            }


def install(directory: Path) -> Installed:
    """Make the databases and secrets, with people, a ledger, and sent and unsent events."""
    installed = Installed(directory, own_ports())
    stack = installed.stack
    (directory / "logs").mkdir(parents=True)
    make_secrets(stack.secrets)
    with running(stack.postgres):
        make_databases(stack.admin_url, passwords={})
        for service in SERVICES:
            installed.run_service(service, "migrate")
            installed.run_service(service, "requeue")  # nothing; it stores the check values
        installed.run_service("identity_service", "seed")
        _fill_ledger(stack)
        _send_some_events(installed)
    return installed


def _fill_ledger(stack: Stack) -> None:
    text = (stack.secrets / "gateway" / "ledger_key").read_text()
    url = stack.service_environment(SERVICES["gateway"])["DATABASE_URL"]
    key = read_private_key("ledger_key", SecretStr(text))
    run_apart(fill(Store(url, key, text)))


def _send_some_events(installed: Installed) -> None:
    """Leave as sent, long ago, all events of identity but the last one."""
    installed.execute(
        "identity_service",
        """CREATE TABLE outbox_sent_20200101 PARTITION OF outbox_sent
            FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2020-01-02 00:00+00');
        WITH sent AS (
            DELETE FROM outbox WHERE position < (SELECT max(position) FROM outbox) RETURNING *
        )
        INSERT INTO outbox_sent (position, sent_at, id, at, topic, key, value, headers)
        SELECT position, '2020-01-01 12:00+00', id, at, topic, key, value, headers FROM sent""",
    )
    installed.execute(
        "gateway",
        """INSERT INTO handled_event (consumer, id, at)
        SELECT 'gateway', gen_random_uuid(), '2020-01-01 12:00+00'""",
    )
