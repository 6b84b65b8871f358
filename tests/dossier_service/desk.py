"""A one-stop desk in the words of the tests of the dossier service."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

from fastapi import FastAPI
from httpx import AsyncClient, Response
from sqlalchemy import text

from dossier_service.settings import Settings
from shared.codes.procedure import PROCEDURE_PATTERN
from shared.database.session import SessionFactory
from tests.support.factories import TestAuthority

DOSSIERS = "/dossier/v1/dossiers"
ONE = DOSSIERS + "/{code}"
PROCEDURES = "/dossier/v1/procedures"
COPY, COPY_FEE, COPY_RESULT = "2.000815", "PHI-CT", "KQ.G15.000021"
BIRTH, BIRTH_FEE, BIRTH_RESULT = "1.001193", "LP-KSQH", "KQ.G15.000031"
DEATH, PASSPORT, SEAL, STAY = "1.000656", "1.001456", "2.001410", "2.001159"
NUMBER, NAME = "001090000001", "Nguyễn Văn An"
APPLICANT = {"kind": 1, "name": NAME, "personal_number": NUMBER, "birth_date": "1990-05-14"}

_references = count(1)
_PROCEDURE = re.compile(PROCEDURE_PATTERN)


def at(moment: str) -> datetime:
    """`11-16 09:00` of 2026, in Viet Nam; that is a Monday."""
    return datetime.fromisoformat(f"2026-{moment}:00+07:00")


def instant(shown: str | None) -> datetime | None:
    return datetime.fromisoformat(shown) if shown else None


def wish(**over: Any) -> dict[str, Any]:
    """A birth registration at the desk of H26.101, which also decides."""
    made = {
        "procedure": BIRTH,
        "channel": 1,
        "applicant": APPLICANT,
        "received_by": "H26.101",
        "decided_by": "H26.101",
        "documents": [{"paper": "TK-KS", "name": "Tờ khai", "kind": "original"}],
    }
    return made | over


@dataclass
class Desk:
    """Calls as a client of `agencies`; `now` is the time that the service believes in.

    The purpose of a call is the procedure of its dossier, unless the test names another one.
    """

    app: FastAPI
    http: AsyncClient
    authority: TestAuthority
    settings: Settings
    now: datetime = field(default_factory=lambda: at("11-16 09:00"))
    agencies: list[str] | None = field(default_factory=lambda: ["H26"])
    _procedures: dict[str, str] = field(default_factory=dict)

    @property
    def sessions(self) -> SessionFactory:
        sessions: SessionFactory = self.app.state.sessions
        return sessions

    async def call(
        self,
        operation: str,
        path: str | None = None,
        *,
        right: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        purpose: str | None = None,
        **sent: Any,
    ) -> Response:
        """`operation` names the route's template, `path` what is asked for."""
        method, template = operation.split(" ")
        purpose = purpose or self._find_purpose(path or template)
        given = {"agencies": self.agencies, "purpose": purpose} | dict(right or {})
        signed = self.authority.headers(operation, self.settings.name, **given)
        return await self.http.request(
            method, path or template, headers=signed | dict(headers or {}), **sent
        )

    def _find_purpose(self, path: str) -> str:
        """Return the procedure of the dossier in the path."""
        code, *_ = path.removeprefix(f"{DOSSIERS}/").split("/")
        return self._procedures.get(code, BIRTH)

    async def try_file(self, body: Mapping[str, Any], **how: Any) -> Response:
        procedure = str(body.get("procedure"))
        purpose = procedure if _PROCEDURE.fullmatch(procedure) else BIRTH
        answer = await self.call(f"POST {DOSSIERS}", json=body, **{"purpose": purpose, **how})
        if answer.is_success:
            self._procedures[answer.json()["code"]] = procedure
        return answer

    async def file(self, **over: Any) -> dict[str, Any]:
        answer = await self.try_file(wish(**over))
        assert answer.status_code == 201, answer.text
        return shown(answer)

    async def read(self, code: str, **how: Any) -> Response:
        return await self.call(f"GET {ONE}", f"{DOSSIERS}/{code}", **how)

    async def history(self, code: str, **how: Any) -> list[dict[str, Any]]:
        answer = await self.call(f"GET {ONE}/history", f"{DOSSIERS}/{code}/history", **how)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def try_change(
        self,
        dossier: Mapping[str, Any],
        what: str,
        body: Mapping[str, Any],
        *,
        headers: Mapping[str, str] | None = None,
        **how: Any,
    ) -> Response:
        """If-Match is the version of `dossier` as it was last shown."""
        sent = {"If-Match": f'"{dossier["version"]}"'} | dict(headers or {})
        path = f"{DOSSIERS}/{dossier['code']}/{what}"
        return await self.call(f"POST {ONE}/{what}", path, json=body, headers=sent, **how)

    async def change(self, dossier: Mapping[str, Any], what: str, **body: Any) -> dict[str, Any]:
        answer = await self.try_change(dossier, what, body)
        assert answer.status_code == (200 if what == "transitions" else 201), answer.text
        return shown(answer)

    async def move(self, dossier: Mapping[str, Any], *path: int, **body: Any) -> dict[str, Any]:
        """Through the statuses of `path`."""
        moved = dict(dossier)
        for to in path:
            moved = await self.change(moved, "transitions", to=to, **body)
        return moved

    async def pay(self, dossier: Mapping[str, Any], **over: Any) -> dict[str, Any]:
        return await self.change(dossier, "payments", **payment(**over))

    async def issue(self, dossier: Mapping[str, Any], **over: Any) -> dict[str, Any]:
        return await self.change(dossier, "results", **result(**over))

    async def events(self, code: str) -> list[dict[str, Any]]:
        """What the outbox holds of a dossier, in order, with its `type`."""
        rows = await self.rows(
            "SELECT headers->>'ce_type', value FROM outbox WHERE key = :code ORDER BY position",
            code=code,
        )
        return [{"type": kind} | json.loads(value) for kind, value in rows]

    async def rows(self, statement: str, **what: Any) -> list[Any]:
        async with self.sessions() as session:
            return list((await session.execute(text(statement), what)).all())


def shown(answer: Response) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert answer.headers["ETag"] == f'"{body["version"]}"'
    return body


def payment(**over: Any) -> dict[str, Any]:
    made = {
        "fee": BIRTH_FEE,
        "amount_vnd": 8000,
        "reference": f"PAY-{next(_references)}",
        "method": "online",
    }
    return made | over


def result(**over: Any) -> dict[str, Any]:
    made = {"code": BIRTH_RESULT, "number": "12/2026", "title": "Giấy khai sinh"}
    return made | {"electronic": True} | over


def utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
