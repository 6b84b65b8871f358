"""Compare the stored rights with those of identity_service, and repair each difference.

Events deliver a change fast; reconciliation bounds every error to a minute, such as a lost event or
a row that identity never published. The gateway reads its own rows first and requests those of
identity afterwards. A row that is ahead of identity, or differs at the same version, is therefore
false.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import structlog
from httpx import AsyncClient, HTTPError
from prometheus_client import Counter, Gauge
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.access.models import ClientInForce, GrantInForce
from gateway.settings import Settings
from shared.codes.time import utc_now
from shared.database.bulk import upsert_if_newer
from shared.database.errors import is_outage
from shared.database.session import SessionFactory
from shared.events import ClientChanged, GrantChanged
from shared.web.calls.service_calls import ServiceCallAuth
from shared.web.http_client import open_client

log = structlog.get_logger()

RECONCILE_S = 60.0
RETRY_S = 1.0
MAX_ROWS_LOGGED = 20

Kind = Literal["missed", "false"]
Columns = Mapping[str, Any]

RIGHTS_REPAIRED = Counter(
    "rights_repaired_total",
    "Rights that differed from those of identity and were repaired",
    ["kind"],
)
RIGHTS_COMPARED_AGE = Gauge(
    "rights_compared_age_seconds",
    "Seconds since the rights were last compared with those of identity",
)
for _kind in ("missed", "false"):
    RIGHTS_REPAIRED.labels(_kind)  # an alert needs a first sample of 0


_NOTE_COMPARISON = text(
    "INSERT INTO rights_comparison (at) VALUES (now())"
    " ON CONFLICT (single) DO UPDATE SET at = excluded.at"
)


@dataclass(frozen=True)
class Difference:
    """A row that differs from its source at identity.

    `missed`: identity is ahead, because an event is under way or was lost. `false`: identity never
    published the row. `expected_version` is the version of the row that was read, `to` the new
    values.
    """

    kind: Kind
    key: object
    expected_version: int | None
    to: Columns


@dataclass(frozen=True)
class _Table:
    """A table of rights, the path of its source, and the values of a row without rights."""

    model: type[ClientInForce | GrantInForce]
    key: str
    path: str
    events: TypeAdapter[list[ClientChanged]] | TypeAdapter[list[GrantChanged]]
    without_right: Columns

    @property
    def columns(self) -> Sequence[str]:
        return [column.name for column in self.model.__table__.columns]


_TABLES = (
    _Table(
        ClientInForce,
        "client_id",
        "/internal/rights/clients",
        TypeAdapter(list[ClientChanged]),
        {"active": False},
    ),
    _Table(
        GrantInForce,
        "grant_id",
        "/internal/rights/grants",
        TypeAdapter(list[GrantChanged]),
        {"revoked": True},
    ),
)


def list_differences(
    stored: Mapping[object, Columns],
    published: Mapping[object, Columns],
    *,
    without_right: Columns,
    now: datetime,
) -> list[Difference]:
    """Compare the stored rows by key with the published ones, which were read later."""
    differences: list[Difference] = []
    for key, row in published.items():
        stored_row = stored.get(key)
        if stored_row is None or stored_row["version"] < row["version"]:
            differences.append(Difference("missed", key, None, row))
        elif stored_row != row:
            differences.append(Difference("false", key, stored_row["version"], row))
    for key in stored.keys() - published.keys():
        stored_row = stored[key]
        ended = (valid_to := stored_row.get("valid_to")) is not None and valid_to <= now
        if not ended and any(stored_row[name] != value for name, value in without_right.items()):
            differences.append(Difference("false", key, stored_row["version"], without_right))
    return differences


class RightsReconciler:
    """Request all clients and grants from identity with proved calls, and repair the tables."""

    def __init__(self, settings: Settings, sessions: SessionFactory, http: AsyncClient) -> None:
        self._sessions, self._http = sessions, http
        self._identity = settings.identity_url
        self._auth = ServiceCallAuth(settings.identity_call_key)

    async def reconcile_all_tables(self) -> list[Difference]:
        """Return the differences; raise httpx.HTTPError or pydantic.ValidationError."""
        differences: list[Difference] = []
        for table in _TABLES:
            async with self._sessions() as session:
                stored = await _read_stored_rows(session, table)
            published = await self._list_source_rows(table)
            differences += await self._repair_stored_rows(table, stored, published)
        async with self._sessions.begin() as session:
            await session.execute(_NOTE_COMPARISON)
        return differences

    async def _list_source_rows(self, table: _Table) -> Mapping[object, Columns]:
        rows: dict[object, Columns] = {}
        after: dict[str, str] = {}
        while page := await self._list_source_page(table, after):
            for event in page:
                row = event.model_dump(include=set(table.columns))
                rows[row[table.key]] = row
            after = {"after": str(getattr(page[-1], table.key))}
        return rows

    async def _list_source_page(
        self, table: _Table, after: Mapping[str, str]
    ) -> Sequence[ClientChanged] | Sequence[GrantChanged]:
        response = await self._http.get(self._identity + table.path, params=after, auth=self._auth)
        response.raise_for_status()
        return table.events.validate_json(response.content)

    async def _repair_stored_rows(
        self, table: _Table, stored: Mapping[object, Columns], published: Mapping[object, Columns]
    ) -> list[Difference]:
        differences = list_differences(
            stored, published, without_right=table.without_right, now=utc_now()
        )
        async with self._sessions.begin() as session:
            if missed := [
                difference.to for difference in differences if difference.kind == "missed"
            ]:
                await upsert_if_newer(session, table.model, table.key, missed)
            for difference in differences:
                if difference.kind == "false":
                    await _overwrite_false_row(session, table, difference)
        for difference in differences:
            RIGHTS_REPAIRED.labels(difference.kind).inc()
        for difference in differences[:MAX_ROWS_LOGGED]:
            log.warning(
                "right_repaired", table=table.path, key=str(difference.key), kind=difference.kind
            )
        return differences


async def _read_stored_rows(session: AsyncSession, table: _Table) -> Mapping[object, Columns]:
    columns = [table.model.__table__.c[name] for name in table.columns]
    rows = (await session.execute(select(*columns))).mappings()
    return {row[table.key]: dict(row) for row in rows}


async def _overwrite_false_row(
    session: AsyncSession, table: _Table, difference: Difference
) -> None:
    """Set the values only while the row has the version that was read."""
    columns = table.model.__table__.c
    await session.execute(
        update(table.model)
        .where(columns[table.key] == difference.key)
        .where(columns.version == difference.expected_version)
        .values(dict(difference.to))
    )


async def reconcile_rights_forever(settings: Settings, sessions: SessionFactory) -> None:
    """Reconcile now and every minute, until cancelled."""
    compared_at = time.monotonic()
    RIGHTS_COMPARED_AGE.set_function(lambda: time.monotonic() - compared_at)
    async with open_client() as http:
        reconciler = RightsReconciler(settings, sessions, http)
        while True:
            try:
                await reconciler.reconcile_all_tables()
            except Exception as error:
                if not (isinstance(error, HTTPError | ValidationError) or is_outage(error)):
                    raise
                log.warning("rights_not_compared", error=type(error).__name__)
                await asyncio.sleep(RETRY_S)
            else:
                compared_at = time.monotonic()
                await asyncio.sleep(RECONCILE_S)
