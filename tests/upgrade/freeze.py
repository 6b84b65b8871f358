"""Freeze the databases of the present version, so that tests upgrade them ever after.

`make freeze NAME=0.2.0` writes the state of that name, once for each release.
"""

import asyncio
import shutil
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from deploy.postgres import EmbeddedPostgres, make_databases
from deploy.process import running
from gateway.operations.model import Operation
from gateway.operations.table import OPERATIONS
from shared.codes.time import utc_now
from shared.web.dependencies import read_now
from tests.access.country import Country, open_country
from tests.access.samples import Things, samples
from tests.conftest import Databases
from tests.upgrade.keys import KEYS
from tests.upgrade.state import STATES, Answer, RecordedDatabases, State, dump_database
from tests.upgrade.story import fill_databases

MANY = 500
# A public document is of the version, not of its data.
READS = [
    operation
    for operation in OPERATIONS.values()
    if operation.method == "GET" and not operation.public
]


async def freeze_state(databases: Databases, folder: Path) -> State:
    """Fill new databases, and write them and all that can be read from them to the folder."""
    recorded = RecordedDatabases(databases.server, databases.numbers)
    state = State(folder)
    with tempfile.TemporaryDirectory() as secrets:
        async with open_country(recorded, Path(secrets) / "sandbox.json", KEYS) as country:
            things = await fill_databases(country)
            at = utc_now()
            set_clock(country, at)
            state.write_answers(
                at, [await _read(country, things, operation) for operation in READS]
            )
            await country.gate.records()
        for service, url in recorded.urls.items():
            state.write_dump(service, dump_database(url))
    return state


def set_clock(country: Country, at: datetime) -> None:
    """Let the services answer as of that time."""
    for app in country.apps.values():
        app.dependency_overrides[read_now] = lambda: at


async def _read(country: Country, things: Things, operation: Operation) -> Answer:
    sample = samples(things)[operation.name]("ours")
    path = operation.template.format(**sample.path)
    params = {**sample.params, **({"limit": MANY} if "limit" in sample.params else {})}
    return Answer(operation.name, path, params, await ask(country, operation.name, path, params))


async def ask(country: Country, operation: str, path: str, params: Any) -> Any:
    return (await country.as_operator(operation, path, params=params)).json()


def main(name: str) -> None:
    with tempfile.TemporaryDirectory(prefix="pg-") as made:
        folder, data = Path(made) / "state", Path(made) / "data"
        folder.mkdir()
        server = EmbeddedPostgres(data, Path(made) / "log", durable=False)
        with running(server):
            make_databases(server.url, passwords={})
            asyncio.run(freeze_state(Databases(server), folder))
        shutil.copytree(folder, STATES / name)


if __name__ == "__main__":
    main(sys.argv[1])
