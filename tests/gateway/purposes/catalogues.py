"""A small catalogue of procedures, and the purposes that it makes good or bad."""

import json
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import httpx

from gateway.ledger.records import PurposeKind
from gateway.purposes.legal_bases import read_legal_bases
from gateway.purposes.registry import PurposeRegistry
from tests.support.gateway_harness import (
    VERIFY,
    Gate,
)

BIRTH, COPY, ENDED = "1.001193", "2.000815", "1.000656"


# In Đà Nẵng birth is registered in another way; in Hà Nội an old way is no longer open.
OWN_WAY, CLOSED_WAY = "1.001193.H17", "2.000815.H26"


CATALOGUE = {BIRTH: True, COPY: True, ENDED: False, OWN_WAY: True, CLOSED_WAY: False}


DOSSIER = "H26.14-240823-0001"


BASES = read_legal_bases()


NOW = datetime(2026, 11, 16, tzinfo=UTC).timestamp()


LET_IN = {
    BIRTH: PurposeKind.PROCEDURE,
    COPY: PurposeKind.PROCEDURE,
    "1.001193.H26": PurposeKind.PROCEDURE,
    "1.001193.000.00.00.H26": PurposeKind.PROCEDURE,
    OWN_WAY: PurposeKind.PROCEDURE,
    "2.000815.H29": PurposeKind.PROCEDURE,
    "91/2025/QH15": PurposeKind.LEGAL_BASIS,
    "278/2025/ND-CP": PurposeKind.LEGAL_BASIS,
}


ENDED_ONES = {ENDED: PurposeKind.ENDED_PROCEDURE, CLOSED_WAY: PurposeKind.ENDED_PROCEDURE}


NO_CODES = (
    "đi chơi",
    "di choi",
    "Nguyễn Văn An",
    "NGUYEN-VAN-AN",
    "1.0011930",
    "1.00119",
    "1.001193.",
    "1.001193.x",
    "1.001193.Nguyễn Văn An",
    "0.001193",
    "91/2025/QH15;",
    "91/2025/qh15",
    "Luật 91/2025/QH15",
    "Điều 9 Luật Căn cước 2023",
    "*",
    "-",
)


UNKNOWN_CODES = (
    "9.999999",
    "1.001194",
    "9.999999.H26",
    "999/2025/QH15",
    "1.001193.Z99",
    "1.001193.Z99.1",
    "1.001193.000.00.00.Z99",
    "1.001193.H29.999",
    "2.000815.Z99",
)


AGENCIES = {"H17", "H26", "H29", "H29.2"}


def registry(*, complete: bool = True) -> PurposeRegistry:
    made = PurposeRegistry(BASES)
    made.replace_procedures(CATALOGUE, announced=len(CATALOGUE) + (not complete))
    made.replace_agencies(AGENCIES)
    return made


async def look(
    gate: Gate, client: str, purpose: str, *, dossier: str | None = None, operation: str = VERIFY
) -> tuple[httpx.Response, dict[str, Any]]:
    """The answer, and its record."""
    headers = {"X-Purpose": purpose, "X-Dossier": dossier}
    answer = await gate.ask(operation, client=client, headers=headers)
    rows = await gate.records(client=client)
    return answer, json.loads(rows[-1]["record"])


def assert_refused(answer: httpx.Response, purpose: str) -> None:
    told = answer.json()
    assert (answer.status_code, told["type"]) == (HTTPStatus.FORBIDDEN, "/problems/purpose-unknown")
    assert "GET /dossier/v1/procedures" in told["detail"]
    assert "GET /.well-known/legal-bases.json" in told["detail"]
    assert purpose not in answer.text or len(purpose) == 1
