"""Keeps the rights in memory as they are in the database: heard of by NOTIFY, read again."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import asyncpg
import structlog
from sqlalchemy import URL

from gateway.rights import ClientRights, Grant, Rights

log = structlog.get_logger()

CHANNEL = "rights"
# Every so often the connection must answer, or a change could go unheard on a dead one.
HEARTBEAT_SECONDS = 1.0
ANSWER_SECONDS = 2.0
RETRY_SECONDS = 0.5

_CLIENTS = "SELECT client_id, agency, active FROM client_in_force"
_GRANTS = """SELECT client_id, grant_id, operations, procedures, fields, agencies,
    valid_from, valid_to, per_second, per_day FROM grant_in_force WHERE NOT revoked"""


class RightsStaleError(Exception):
    """The rights in memory are those of some time ago: the database cannot be asked."""


class RightsFeed:
    """Fills `rights` and keeps them fresh; in an outage what was known goes on being used."""

    def __init__(self, rights: Rights, url: URL) -> None:
        self._rights, self._url = rights, url
        self._changed: set[str] = set()
        self._heard = asyncio.Event()
        self._fresh = False

    async def check_fresh(self) -> None:
        if not self._fresh:
            raise RightsStaleError

    async def follow(self) -> None:
        """For ever."""
        while True:
            try:
                await self._follow_once()
            except Exception as error:  # noqa: BLE001 -- whatever it is, old rights must not stay
                log.warning("rights_stale", error=type(error).__name__)
            self._fresh = False
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow_once(self) -> None:
        plain = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await asyncpg.connect(plain, timeout=5, command_timeout=ANSWER_SECONDS)
        try:
            await connection.add_listener(CHANNEL, self._hear)
            self._rights.replace_all(await _read(connection))
            self._fresh = True
            log.info("rights_read")
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._heard.wait(), HEARTBEAT_SECONDS)
                await self._read_changed(connection)
        finally:
            connection.terminate()

    def _hear(self, _: object, __: int, ___: str, client: str) -> None:
        self._changed.add(client)
        self._heard.set()

    async def _read_changed(self, connection: asyncpg.Connection) -> None:
        """With nobody changed this is the heartbeat."""
        self._heard.clear()
        names, self._changed = self._changed, set()
        self._rights.replace(names, await _read(connection, names=sorted(names)))


async def _read(
    connection: asyncpg.Connection, names: Sequence[str] | None = None
) -> Mapping[str, ClientRights]:
    """Of these clients, or of all, as of one instant."""
    wanted = "" if names is None else " {} client_id = ANY($1)"
    parameters = () if names is None else (names,)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        clients = await connection.fetch(_CLIENTS + wanted.format("WHERE"), *parameters)
        rows = await connection.fetch(_GRANTS + wanted.format("AND"), *parameters)
    grants: dict[str, list[Grant]] = {}
    for row in rows:
        grants.setdefault(row["client_id"], []).append(_grant(row))
    return {
        client["client_id"]: ClientRights(
            client["agency"],
            active=client["active"],
            grants=tuple(grants.get(client["client_id"], ())),
        )
        for client in clients
    }


def _grant(row: Mapping[str, Any]) -> Grant:
    return Grant(
        id=str(row["grant_id"]),
        operations=frozenset(row["operations"]),
        procedures=_limit(row["procedures"]),
        fields=_limit(row["fields"]),
        agencies=_limit(row["agencies"]),
        valid_from=row["valid_from"].timestamp(),
        valid_to=_end(row["valid_to"]),
        per_second=row["per_second"],
        per_day=row["per_day"],
    )


def _limit(codes: Sequence[str] | None) -> frozenset[str] | None:
    return None if codes is None else frozenset(codes)


def _end(at: datetime | None) -> float:
    return math.inf if at is None else at.timestamp()
