"""Act on the data of the local stack; each function raises BackupError with a sentence."""

import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import asyncpg

from deploy.backup.archive import ArchiveUnfitError, Facts, read_archive, write_archive
from deploy.backup.databases import dump_databases, load_databases
from deploy.dev_stack.record import AlreadyRunningError, held, is_held
from deploy.dev_stack.stack import ROOT, Stack
from deploy.dev_stack.supervisor import say
from deploy.postgres import make_databases
from deploy.process import ChildFailedError, running
from deploy.services import SERVICES
from shared.codes.time import utc_now

DATABASES, SECRETS, SANDBOX, POSTGRES = "databases", "secrets", "sandbox.json", "postgres"
# Nothing listens there: no event may leave before the stack runs.
NO_BROKER = "127.0.0.1:1"
# Of `verify-ledger`: nothing is damaged, and there is no anchor from outside, as the broker is off.
INTACT, NOT_PROVED = 0, 2
FAULTS = (
    AlreadyRunningError,
    ArchiveUnfitError,
    ChildFailedError,
    asyncpg.PostgresError,
    OSError,
)


class BackupError(Exception):
    """Nothing was made or changed; the text says why and how to go on."""


def write_backup(stack: Stack, file: Path) -> None:
    """Write the databases and the secrets to one file, also while the stack runs."""
    _require_embedded(stack)
    if file.exists():
        raise BackupError(f"{file} is there already.")
    with _translate_faults(), tempfile.TemporaryDirectory(dir=file.parent) as made:
        folder = Path(made)
        (folder / DATABASES).mkdir()
        with _server_running(stack):
            dumped = dump_databases(stack.admin_url, folder / DATABASES)
        shutil.copytree(stack.secrets, folder / SECRETS)
        if stack.sandbox_file.exists():
            shutil.copy(stack.sandbox_file, folder / SANDBOX)
        version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
        at = utc_now().isoformat(timespec="seconds")
        write_archive(file, folder, Facts(at, version, dumped.postgres, dumped.revisions))
    say(f"{file}: databases and secrets, readable by you alone. Keep it encrypted.")


def restore_backup(stack: Stack, file: Path, *, to_replace: bool, secrets_only: bool) -> None:
    """Put the data of a back-up in place, once all of it is loaded and verified.

    Present data is put aside where `to_replace` says so, and is a reason to refuse otherwise.
    """
    _require_embedded(stack)
    with _translate_faults(), held(stack.directory), _staged(stack) as staged:
        parts = (SECRETS,) if secrets_only else (SECRETS, SANDBOX, POSTGRES)
        present = [part for part in parts if (stack.directory / part).exists()]
        if present and not to_replace:
            where = " and ".join(str(stack.directory / part) for part in present)
            raise BackupError(f"There is {where}. HOW=--replace puts it aside.")
        facts = read_archive(file, staged.directory)
        if not secrets_only:
            _load_databases(staged)
        aside = stack.directory / f"replaced-{utc_now():%Y%m%dT%H%M%S}"
        for part in present:
            aside.mkdir(exist_ok=True)
            (stack.directory / part).rename(aside / part)
        for part in parts:
            if (staged.directory / part).exists():
                (staged.directory / part).rename(stack.directory / part)
    put_aside = f" What was there is in {aside}." if present else ""
    say(f"Restored as of {facts.made_at} (version {facts.version}).{put_aside} Now: make run")


def _require_embedded(stack: Stack) -> None:
    if stack.database_url or stack.kafka_servers:
        raise BackupError(
            "DATABASE_URL or KAFKA_SERVERS is set. This is for the embedded servers of `make run`; "
            "docs/backup.md says how others are backed up."
        )


@contextmanager
def _translate_faults() -> Iterator[None]:
    try:
        yield
    except FAULTS as error:
        raise BackupError(str(error)) from error
    except subprocess.CalledProcessError as error:
        said = f"{error.stdout or ''}{error.stderr or ''}".strip()
        raise BackupError(
            f"{' '.join(error.cmd[:4])} ended with {error.returncode}:\n{said}"
        ) from None


@contextmanager
def _server_running(stack: Stack) -> Iterator[None]:
    """Use the server of the stack that runs, or start the server alone."""
    if is_held(stack.directory):
        yield
        return
    if not (stack.directory / POSTGRES).exists():
        raise BackupError(f"There is no data in {stack.directory}.")
    stack.log(POSTGRES).parent.mkdir(exist_ok=True)
    with held(stack.directory), running(stack.postgres):
        yield


@contextmanager
def _staged(stack: Stack) -> Iterator[Stack]:
    """Yield a stack in a folder of its own, of which nothing stays."""
    with tempfile.TemporaryDirectory(prefix="restoring-", dir=stack.directory) as folder:
        staged = replace(stack, directory=Path(folder), kafka_servers=NO_BROKER)
        staged.log(POSTGRES).parent.mkdir()
        yield staged


def _load_databases(staged: Stack) -> None:
    """Load the dumps, bring them to the present version, and verify the ledger."""
    with running(staged.postgres):
        make_databases(staged.admin_url, passwords={})
        load_databases(staged.admin_url, staged.directory / DATABASES)
        for service in SERVICES:
            _run_command(staged, service, "migrate")
            _run_command(staged, service, "requeue")
        say(_run_command(staged, "gateway", "verify-ledger", expected=(INTACT, NOT_PROVED)))


def _run_command(stack: Stack, service: str, task: str, expected: Sequence[int] = (0,)) -> str:
    command = [*stack.service_command, service, task]
    environment = stack.service_environment(SERVICES[service])
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True
    )
    if ended.returncode not in expected:
        raise subprocess.CalledProcessError(ended.returncode, command, ended.stdout, ended.stderr)
    return ended.stdout.strip()


def name_new_backup() -> Path:
    return Path(f"backup-{utc_now():%Y%m%dT%H%M%SZ}.tar")
