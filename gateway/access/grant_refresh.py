"""Keep the grants in memory equal to the database.

NOTIFY announces a change, and a query reads it. The procedures that a purpose may name are
refreshed in the same way, by the same connection.

Grants are fresh while the database answers and the worker reports that it has consumed the topic up
to now.
"""

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import asyncpg
import structlog
from prometheus_client import Gauge
from sqlalchemy import URL

from gateway.access.grants import ClientGrants, GrantCache
from gateway.access.right_in_force import CachedGrant
from gateway.purposes.registry import PurposeRegistry
from shared.codes.coverage import canonical_codes
from shared.database.engine import connect_driver, render_driver_url
from shared.events import GrantChanged
from shared.messaging.topics import TOPIC_TABLE

log = structlog.get_logger()

CHANNEL, PROCEDURES_CHANNEL = "rights", "procedures"
# A query at this interval detects a dead connection, on which notifications would be lost.
HEARTBEAT_S = 1.0
ANSWER_S = 2.0
RETRY_S = 0.5
# The worker reports its progress every five seconds.
MAX_UNCONSUMED_S = 30.0

RIGHTS_AGE = Gauge(
    "rights_age_seconds", "Seconds since the rights in use equalled those that identity published"
)

_CLIENTS = "SELECT client_id, agency, active FROM client_in_force"
_GRANTS = """SELECT client_id, grant_id, operations, procedures, fields, agencies,
    valid_from, valid_to, legal_basis, per_second, per_day FROM grant_in_force WHERE NOT revoked"""
_PROCEDURES = "SELECT code, active, catalogue_size FROM known_procedure"
# Events of agencies expire after days, but clients are reconciled each minute.
_AGENCIES = "SELECT code FROM known_agency"
_AGENCIES_OF_CLIENTS = "SELECT DISTINCT agency FROM client_in_force"
# `age` is NULL until every partition of the topic has been consumed once.
_CONSUMED = """SELECT EXISTS (SELECT FROM rights_comparison) AS compared,
    CASE WHEN count(*) = $2 THEN extract(epoch FROM now() - min(at))::float8 END AS age
    FROM heard WHERE topic = $1 AND partition < $2"""


class RightsStaleError(Exception):
    """The rights in memory are outdated, because the database cannot be queried."""


class RightsUnconsumedError(Exception):
    """The rights in the database are outdated, because the worker does not consume the topic."""


class GrantCacheRefresher:
    """Fill `rights` and `purposes` and keep them fresh.

    During an outage the last state stays in use.
    """

    def __init__(self, rights: GrantCache, purposes: PurposeRegistry, url: URL) -> None:
        self._rights, self._purposes, self._url = rights, purposes, url
        self._changed: set[str] = set()
        self._procedures_changed = False
        self._has_changes = asyncio.Event()
        self._fresh = False
        self._as_of = -math.inf  # by time.monotonic()
        RIGHTS_AGE.set_function(self._measure_grants_age)

    async def check_fresh(self) -> None:
        if not self._fresh:
            raise RightsStaleError
        if self._measure_grants_age() > MAX_UNCONSUMED_S:
            raise RightsUnconsumedError

    def _measure_grants_age(self) -> float:
        return time.monotonic() - self._as_of

    async def follow_changes(self) -> None:
        """Follow the database until cancelled; connect again after an error."""
        while True:
            try:
                await self._follow_one_connection()
            except Exception as error:  # noqa: BLE001 -- after any error the rights must be read again
                log.warning("rights_stale", error=type(error).__name__)
            self._fresh = False
            await asyncio.sleep(RETRY_S)

    async def _follow_one_connection(self) -> None:
        connection = await connect_driver(
            render_driver_url(self._url), timeout=5, command_timeout=ANSWER_S
        )
        try:
            await connection.add_listener(CHANNEL, self._note_changed_client)
            await connection.add_listener(PROCEDURES_CHANNEL, self._note_changed_procedures)
            # Procedures come first, because calls go on while a lost connection is replaced, and a
            # new grant may be for a procedure that is new too.
            await self._read_procedures(connection)
            self._rights.replace_all_clients(await _read_client_grants(connection))
            await self._read_grants_age(connection)
            self._fresh = True
            log.info("rights_read")
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._has_changes.wait(), HEARTBEAT_S)
                await self._read_changed_clients(connection)
                if self._procedures_changed:
                    await self._read_procedures(connection)
                await self._read_grants_age(connection)
        finally:
            connection.terminate()

    def _note_changed_client(self, _: object, __: int, ___: str, client: str) -> None:
        self._changed.add(client)
        self._has_changes.set()

    def _note_changed_procedures(self, *_: object) -> None:
        self._procedures_changed = True
        self._has_changes.set()

    async def _read_procedures(self, connection: asyncpg.Connection) -> None:
        """Read the whole catalogue and all agencies: thousands of rows that seldom change."""
        self._procedures_changed = False
        rows = await connection.fetch(_PROCEDURES)
        self._purposes.replace_procedures(
            {row["code"]: row["active"] for row in rows},
            announced=max((row["catalogue_size"] or 0 for row in rows), default=0),
        )
        agencies = await connection.fetch(_AGENCIES)
        of_clients = await connection.fetch(_AGENCIES_OF_CLIENTS)
        self._purposes.replace_agencies(row["code"] for row in agencies)
        self._purposes.add_agencies(row["agency"] for row in of_clients)

    async def _read_changed_clients(self, connection: asyncpg.Connection) -> None:
        self._has_changes.clear()
        names, self._changed = self._changed, set()
        if names:
            changed = await _read_client_grants(connection, names=sorted(names))
            self._rights.replace_changed_clients(names, changed)
            self._purposes.add_agencies(client.agency for client in changed.values())

    async def _read_grants_age(self, connection: asyncpg.Connection) -> None:
        """Read how old the grants in the database are; the query is the heartbeat as well."""
        partitions = TOPIC_TABLE[GrantChanged.topic].partitions
        compared, age = await connection.fetchrow(_CONSUMED, GrantChanged.topic, partitions)
        if compared and not self._rights.complete:
            # The comparison may have written further grants since they were read.
            self._rights.replace_all_clients(await _read_client_grants(connection))
            self._rights.complete = True
        self._as_of = -math.inf if age is None else time.monotonic() - age


async def _read_client_grants(
    connection: asyncpg.Connection, names: Sequence[str] | None = None
) -> Mapping[str, ClientGrants]:
    """Read the grants of these clients, or of all clients, in one snapshot."""
    condition = "" if names is None else " {} client_id = ANY($1)"
    parameters = () if names is None else (names,)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        clients = await connection.fetch(_CLIENTS + condition.format("WHERE"), *parameters)
        rows = await connection.fetch(_GRANTS + condition.format("AND"), *parameters)
    grants: dict[str, list[CachedGrant]] = {}
    for row in rows:
        grants.setdefault(row["client_id"], []).append(_build_cached_grant(row))
    return {
        client["client_id"]: ClientGrants(
            client["agency"],
            active=client["active"],
            grants=tuple(grants.get(client["client_id"], ())),
        )
        for client in clients
    }


def _build_cached_grant(row: Mapping[str, Any]) -> CachedGrant:
    return CachedGrant(
        id=str(row["grant_id"]),
        operations=frozenset(row["operations"]),
        procedures=_canonicalise_codes(row["procedures"]),
        fields=_freeze_codes(row["fields"]),
        agencies=_canonicalise_codes(row["agencies"]),
        valid_from=row["valid_from"].timestamp(),
        valid_to=_end_timestamp(row["valid_to"]),
        per_second=row["per_second"],
        per_day=row["per_day"],
        legal_basis=row["legal_basis"],
    )


def _canonicalise_codes(codes: Sequence[str] | None) -> frozenset[str] | None:
    return None if codes is None else canonical_codes(codes)


def _freeze_codes(codes: Sequence[str] | None) -> frozenset[str] | None:
    return None if codes is None else frozenset(codes)


def _end_timestamp(at: datetime | None) -> float:
    return math.inf if at is None else at.timestamp()
