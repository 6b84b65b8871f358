"""What a caller sends, each body good in itself."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from tests.access.country import BIRTH, OURS

NAME = "Nguyễn Văn An"

_serials = count(1)
_latest = count(1)


def wish(agency: str) -> dict[str, Any]:
    return {
        "procedure": BIRTH,
        "channel": 1,
        "applicant": {"kind": 1, "name": NAME, "personal_number": "001090000001"},
        "received_by": agency,
        "decided_by": agency,
    }


def row(agency: str, **over: Any) -> dict[str, Any]:
    at = "2026-11-02T09:00:00+07:00"
    made = {
        "code": f"{agency}-261102-{next(_serials):05}",
        "procedure": BIRTH,
        "channel": 1,
        "status": 2,
        "source_time": at,
        "received_by": agency,
        "decided_by": agency,
        "filed_at": at,
        "received_at": at,
    }
    return made | over


def progress_of(code: str) -> dict[str, Any]:
    at = datetime(2026, 11, 2, 3, tzinfo=UTC) + timedelta(seconds=next(_latest))
    return {"rows": [{"code": code, "status": 4, "source_time": at.isoformat(), "step": "desk-1"}]}


def token_request(secret: str) -> dict[str, str]:
    known = {"client_id": "onestop-h26", "client_secret": secret}
    return {"grant_type": "client_credentials"} | known


def new_agency(code: str) -> dict[str, Any]:
    return {"code": code, "name": "Tỉnh mới", "level": "province", "valid_from": "2026-01-01"}


def new_client(agency: str) -> dict[str, Any]:
    name = {"client_id": "onestop-h26", "name": "Một cửa"}
    return name | {"agency": agency, "kind": "sandbox"}


def new_grant() -> dict[str, Any]:
    operations = {"operations": ["GET /dossier/v1/procedures"], "agencies": [OURS]}
    # It begins in a year: what is made on the way must not be a right.
    begin = (datetime.now(UTC) + timedelta(days=365)).isoformat()
    return operations | {
        "client_id": "newcomer-h14",
        "legal_basis": "Luật 26/2023",
        "valid_from": begin,
    }


def payment() -> dict[str, Any]:
    return {"fee": "LP-KSQH", "amount_vnd": 8000, "reference": "P-1", "method": "cash"}


def result() -> dict[str, Any]:
    return {"code": "KQ.G15.000031", "number": "1", "title": "Giấy", "electronic": False}
