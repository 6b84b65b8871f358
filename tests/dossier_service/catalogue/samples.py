"""Published procedures as the tests of the catalogue write and store them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dossier_service.catalogue.own_procedures import read_own_procedures
from dossier_service.catalogue.procedure import Procedure
from dossier_service.catalogue.use_cases import publish_procedures
from tests.dossier_service.desk import SEAL, Desk

PUBLISHED = Path(__file__).parents[4] / "shared" / "data" / "procedures.jsonl.gz"
NOW = datetime(2026, 11, 16, 2, tzinfo=UTC)


def line(code: str, **over: Any) -> dict[str, Any]:
    """A procedure as the national portal publishes it."""
    made = {
        "code": code,
        "name": f"Thủ tục {code}",
        "owner": "G15",
        "level": "Cấp xã",
        "sector": "Hộ tịch",
        "decision": "1/QĐ",
        "subjects": ["Công dân Việt Nam"],
        "competent": "Ủy ban nhân dân cấp xã",
        "channels": [{"channel": "Trực tiếp", "text": "3 Ngày làm việcMiễn phí"}],
        "documents_text": "",
        "result_codes": [],
        "result_text": "",
    }
    return made | over


async def put(desk: Desk, *procedures: Procedure) -> Any:
    async with desk.sessions.begin() as session:
        return await publish_procedures(session, procedures, now=NOW)


def longer(code: str = SEAL) -> Procedure:
    """The same procedure with five working days instead of three."""
    old = read_own_procedures()[code].model_dump(mode="json")
    for channel in old["channels"]:
        channel["duration"] = 5
    return Procedure.model_validate(old)


ANNOUNCED = (
    "SELECT convert_from(value, 'UTF8')::json FROM outbox"
    " WHERE headers ->> 'ce_type' = 'catalogue.procedure.published.v1' ORDER BY position"
)


async def announced(desk: Desk) -> list[dict[str, Any]]:
    return [row[0] for row in await desk.rows(ANNOUNCED)]
