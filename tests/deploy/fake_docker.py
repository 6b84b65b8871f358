"""Stands for `docker compose` where there is no Docker: the stack of RUN_DIR has what is inside.

The parts are those of docker-compose.yml; the stack has one server and one folder for all of them.
"""

import os
import shutil
import sys
from typing import NoReturn

from deploy.dev_stack.stack import read_stack
from deploy.postgres import as_superuser, make_databases, postgres_program
from deploy.run_sync import run_apart
from deploy.services import SERVICES
from tests.deploy.test_compose import PARTS

STACK = read_stack(os.environ)


def main(words: list[str]) -> None:
    match words:
        case ["compose", "exec", "-T", "postgres", program, *rest]:
            own = {"PGHOST": str(STACK.postgres.socket_directory)}
            _become([str(postgres_program(program)), *rest], **own)
        case ["compose", "exec", "-T", part, "python", "-m", service, *rest]:
            _run_service(part, service, rest)
        case ["compose", "run", "--rm", "databases"]:
            make_databases(STACK.admin_url, passwords={})
        case ["compose", "run", "--rm", "--no-deps", "-T", "--entrypoint", "tar", "secrets", *rest]:
            assert rest[:2] == ["-C", "/secrets"]
            STACK.secrets.mkdir(exist_ok=True)
            _become(["tar", "-C", str(STACK.secrets), *rest[2:]])
        case ["compose", "run", "--rm", part, service, *rest]:
            _run_service(part, service, rest)
        case ["compose", "down", "--volumes"]:
            run_apart(_drop_databases())
            shutil.rmtree(STACK.secrets)
        case ["compose", "up", "--detach", "--wait", *parts]:
            assert {*parts} <= {*PARTS}
        case _:
            sys.exit(f"not known here: docker {' '.join(words)}")


def _become(command: list[str], **own: str) -> NoReturn:
    os.execvpe(command[0], command, {**os.environ, **own})


def _run_service(part: str, service: str, words: list[str]) -> NoReturn:
    assert PARTS[part]["command"][0] == service
    environment = STACK.service_environment(SERVICES[service]) | {"KAFKA_SERVERS": "127.0.0.1:1"}
    _become([sys.executable, "-m", service, *words], **environment)


async def _drop_databases() -> None:
    async with as_superuser(STACK.admin_url) as connection:
        for service in SERVICES.values():
            await connection.execute(f'DROP DATABASE "{service.database}"')


if __name__ == "__main__":
    main(sys.argv[1:])
