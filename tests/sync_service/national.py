"""The national view in the words of its tests."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from fastapi import FastAPI
from httpx import AsyncClient, Response
from sqlalchemy import text

from shared.database.session import SessionFactory
from shared.events import (
    AgencyChanged,
    DossierEvent,
    DossierFiled,
    DossierMoved,
    DossierProgressed,
    ProcedurePublished,
)
from sync_service.agencies.projections import upsert_agencies
from sync_service.handlers import project_dossiers
from sync_service.settings import Settings
from tests.support.factories import TestAuthority
from tests.support.statements import statements

OPERATOR = "operator-vpcp"
EXTERNAL = "external-h41"
DOSSIERS, PROGRESS = "/sync/v1/dossiers", "/sync/v1/progress"

_serials = count(1)


def new_code(agency: str = "H41.101", day: str = "261102") -> str:
    return f"{agency}-{day}-{next(_serials):05}"


def at(text_: str) -> datetime:
    """`11-02 08:30` of 2026, in Viet Nam."""
    return datetime.fromisoformat(f"2026-{text_}:00+07:00")


def row(**over: Any) -> dict[str, Any]:
    """A row to push: received on 2 November at the desk of H41.101, due on the 9th."""
    agency = over.get("received_by", "H41.101")
    made = {
        "code": over.get("code") or new_code(agency),
        "procedure": "1.001193",
        "channel": 1,
        "status": 4,
        "source_time": "2026-11-02T09:00:00+07:00",
        "received_by": agency,
        "decided_by": agency,
        "filed_at": "2026-11-02T08:00:00+07:00",
        "received_at": "2026-11-02T08:30:00+07:00",
        "due_at": "2026-11-09T17:00:00+07:00",
    }
    return made | over


def moved(code: str, version: int, status: int = 4, **over: Any) -> DossierMoved:
    return DossierMoved(**standing(code, version, status, **over), previous=2)


def filed(code: str, **over: Any) -> DossierFiled:
    return DossierFiled(**standing(code, 1, 2, **over))


def progressed(code: str, version: int, step: str, **over: Any) -> DossierProgressed:
    return DossierProgressed(**standing(code, version, 4, **over), step=step)


def standing(code: str, version: int, status: int, **over: Any) -> dict[str, Any]:
    """Version n is told n hours after 8 o'clock of 2 November."""
    received = datetime(2026, 11, 2, 1, 30, tzinfo=UTC)
    made = {
        "code": code,
        "version": version,
        "at": datetime(2026, 11, 2, 1, tzinfo=UTC) + timedelta(hours=version),
        "procedure": "1.001193",
        "channel": 2,
        "status": status,
        "helped_by": None,
        "received_by": "H26.101",
        "decided_by": "H26.101",
        "filed_at": received,
        "received_at": received,
        "due_at": datetime(2026, 11, 9, 10, tzinfo=UTC),
        "finished_at": None,
    }
    return made | over


def published(code: str, days: int | None = 3, version: int = 1) -> ProcedurePublished:
    return ProcedurePublished(
        code=code,
        version=version,
        at=datetime(2026, 1, 5, tzinfo=UTC),
        active=True,
        owner="G15",
        levels=["commune"],
        term_duration=days,
        term_unit=None if days is None else "working_day",
        term_same_day=False,
    )


def agency(
    code: str, name: str, level: str = "province", version: int = 1, **over: Any
) -> AgencyChanged:
    made = {
        "code": code,
        "version": version,
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "name": name,
        "level": level,
        "parent": None,
        "valid_from": date(2025, 7, 1),
        "valid_to": None,
        "successor": None,
    }
    return AgencyChanged.model_validate(made | over)


@dataclass(frozen=True)
class National:
    app: FastAPI
    http: AsyncClient
    authority: TestAuthority
    settings: Settings

    @property
    def sessions(self) -> SessionFactory:
        sessions: SessionFactory = self.app.state.sessions
        return sessions

    async def call(
        self,
        operation: str,
        *,
        by: str = OPERATOR,
        path: str | None = None,
        right: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **sent: Any,
    ) -> Response:
        """`operation` names the route's template, `path` what is asked for."""
        method, template = operation.split(" ")
        signed = self.authority.headers(
            operation, self.settings.name, client=by, agency="H41", **(right or {})
        )
        return await self.http.request(
            method, path or template, headers=signed | dict(headers or {}), **sent
        )

    async def push(
        self, *rows: Any, by: str = EXTERNAL, to: str = DOSSIERS, **how: Any
    ) -> list[dict[str, Any]]:
        how.setdefault("right", {"agencies": ["H41"]})
        response = await self.call(f"POST {to}", by=by, json={"rows": rows}, **how)
        assert response.status_code == 200, response.text
        results: list[dict[str, Any]] = response.json()["results"]
        return results

    async def outcomes(self, *rows: Any, **how: Any) -> list[str]:
        return [result["outcome"] for result in await self.push(*rows, **how)]

    async def progress(self, *rows: Any, **how: Any) -> list[str]:
        return await self.outcomes(*rows, to=PROGRESS, **how)

    async def get(self, code: str, **how: Any) -> Response:
        return await self.call(f"GET {DOSSIERS}/{{code}}", path=f"{DOSSIERS}/{code}", **how)

    async def read(self, code: str, **how: Any) -> dict[str, Any]:
        response = await self.get(code, **how)
        assert response.status_code == 200, response.text
        read: dict[str, Any] = response.json()
        return read

    async def timeline(self, code: str) -> list[tuple[str, int, str | None]]:
        """Kind, status and detail of each entry, oldest first."""
        response = await self.call(
            f"GET {DOSSIERS}/{{code}}/timeline", path=f"{DOSSIERS}/{code}/timeline"
        )
        assert response.status_code == 200, response.text
        entries = response.json()["entries"]
        return [(entry["kind"], entry["status"], entry["detail"]) for entry in entries]

    async def listed(self, right: Mapping[str, Any] | None = None, **filters: Any) -> Response:
        return await self.call(f"GET {DOSSIERS}", right=right, params=filters)

    async def codes(self, right: Mapping[str, Any] | None = None, **filters: Any) -> list[str]:
        response = await self.listed(right, **filters)
        assert response.status_code == 200, response.text
        return [item["code"] for item in response.json()["items"]]

    async def indicator(
        self, name: str, right: Mapping[str, Any] | None = None, **asked: Any
    ) -> Response:
        return await self.call(
            "GET /sync/v1/indicators/{indicator}",
            path=f"/sync/v1/indicators/{name}",
            right=right,
            params=asked,
        )

    async def figure(self, name: str, **asked: Any) -> dict[str, Any]:
        response = await self.indicator(name, **asked)
        assert response.status_code == 200, response.text
        figure: dict[str, Any] = response.json()
        return figure

    async def project(self, *events: DossierEvent) -> None:
        """As the consumer does with a batch."""
        async with self.sessions.begin() as session:
            await project_dossiers(session, events)

    def asking(self) -> AbstractContextManager[list[str]]:
        """The statements that reach the database meanwhile."""
        return statements(self.sessions)

    async def scalar(self, query: str, **values: Any) -> Any:
        async with self.sessions() as session:
            return await session.scalar(text(query), values)


async def register(national: National, *agencies: AgencyChanged) -> None:
    async with national.sessions.begin() as session:
        await upsert_agencies(session, agencies)
