"""Calls to the identity service in the words of its tests."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from httpx import AsyncClient, Response
from sqlalchemy import select

from identity_service.sandbox.personas import read_personas
from identity_service.settings import Settings
from shared.messaging.outbox import OutboxMessage
from tests.support.factories import TestAuthority

OPERATOR = ("operator-vpcp", "G22")
SECOND_OPERATOR = ("operator2-vpcp", "G22")
POLICE = ("police-g01", "G01")
ONE_STOP = ("onestop-h26", "H26")
VERIFY = "/identity/v1/verifications"


@dataclass(frozen=True)
class Identity:
    app: FastAPI
    http: AsyncClient
    authority: TestAuthority
    settings: Settings

    async def call(
        self,
        operation: str,
        *,
        by: tuple[str, str] = OPERATOR,
        at: Mapping[str, object] | None = None,
        right: dict[str, Any] | None = None,
        purpose: str | None = "1.001193",
        headers: dict[str, str] | None = None,
        **sent: Any,
    ) -> Response:
        """`operation` as `GET /identity/v1/grants/{grant_id}`; `at` fills its template."""
        method, template = operation.split(" ")
        client, agency = by
        signed = self.authority.headers(
            operation,
            self.settings.name,
            client=client,
            agency=agency,
            purpose=purpose,
            **(right or {}),
        )
        return await self.http.request(
            method, template.format(**(at or {})), headers=signed | (headers or {}), **sent
        )

    async def call_by_two(self, operation: str, **how: Any) -> Response:
        """What the second of two operators is answered, who asks for the same as the first."""
        proposed = await self.call(operation, **how)
        assert proposed.status_code == 202, proposed.text
        return await self.call(operation, by=SECOND_OPERATOR, **how)

    async def verify(self, body: Any, **how: Any) -> Response:
        return await self.call(f"POST {VERIFY}", by=ONE_STOP, json=body, **how)

    async def events(self, key: str) -> list[dict[str, Any]]:
        """What was announced under that key, oldest first, with its `type`."""
        query = (
            select(OutboxMessage).where(OutboxMessage.key == key).order_by(OutboxMessage.position)
        )
        async with self.app.state.sessions() as session:
            rows = (await session.scalars(query)).all()
        return [{"type": row.headers["ce_type"]} | json.loads(row.value) for row in rows]


def asked(persona: str, **over: object) -> dict[str, object]:
    """What an integrator sends for that persona."""
    known = read_personas()[persona]
    body: dict[str, object] = {
        "personal_number": known.personal_number,
        "full_name": known.full_name,
        "birth_date": known.birth_date,
        "sex": known.sex,
        "residence": {"province": known.residence_province, "commune": known.residence_commune},
    }
    return body | over
