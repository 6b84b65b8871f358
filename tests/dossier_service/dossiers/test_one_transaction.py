"""Several dossiers, and several steps of one, in one transaction: imports and sagas need it."""

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.dossiers.models import Dossier
from dossier_service.dossiers.schemas.requests import FileDossier, MoveDossier
from dossier_service.dossiers.use_cases.filing import FilingRules, file_dossier
from dossier_service.dossiers.use_cases.transitions import move_dossier
from shared.codes.dossier import DOSSIER_CODE_LAYOUTS
from shared.codes.reason import Reason
from shared.web.calls.auth import CallContext
from shared.web.calls.rights import Right
from shared.web.etag import Precondition, format_etag
from tests.dossier_service.desk import Desk, at, wish

RULES = FilingRules(layout=DOSSIER_CODE_LAYOUTS["short"], person_key=b"key of a test")
CALLER = CallContext(
    client="importer",
    agency="H26",
    right=Right(
        sub="importer",
        operation="",
        grants=(),
        procedures=None,
        fields=None,
        agencies=("H26",),
        exp=0,
    ),
    purpose="1.001193",
    dossier=None,
    officer="importer",
)


async def file(desk: Desk, session: AsyncSession) -> Dossier:
    state = desk.app.state
    dossier, _ = await file_dossier(
        session,
        FileDossier.model_validate(wish()),
        caller=CALLER,
        procedures=state.procedure_cache,
        agencies=state.agency_cache,
        rules=RULES,
        person=None,
        now=desk.now,
    )
    return dossier


async def move(desk: Desk, session: AsyncSession, code: str, version: int, to: int) -> Dossier:
    reason = None if to == 4 else Reason.PAPERS_MISSING
    dossier, _ = await move_dossier(
        session,
        code,
        MoveDossier(to=to, reason=reason),
        caller=CALLER,
        expected_version=Precondition(match=frozenset((format_etag(version),))),
        procedures=desk.app.state.procedure_cache,
        now=desk.now,
    )
    return dossier


@pytest.mark.parametrize("count", [2, 25])
async def test_several_dossiers_are_filed_in_one_transaction(own_desk: Desk, count: int) -> None:
    async with own_desk.sessions.begin() as session:
        codes = [(await file(own_desk, session)).code for _ in range(count)]
    assert len(set(codes)) == count
    for code in codes:
        assert (await own_desk.read(code)).json()["version"] == 1
        assert len(await own_desk.events(code)) == 1
        assert len(await own_desk.history(code)) == 1


async def test_steps_of_one_dossier_follow_each_other_in_one_transaction(own_desk: Desk) -> None:
    own_desk.now = at("11-16 09:00")
    async with own_desk.sessions.begin() as session:
        code = (await file(own_desk, session)).code
        await move(own_desk, session, code, 1, 5)
        await move(own_desk, session, code, 2, 2)
        await move(own_desk, session, code, 3, 7)
    shown = (await own_desk.read(code)).json()
    assert (shown["version"], shown["status"]) == (4, 7)
    assert [step["version"] for step in await own_desk.history(code)] == [1, 2, 3, 4]
    assert [event["version"] for event in await own_desk.events(code)] == [1, 2, 3, 4]
    listed = "SELECT DISTINCT status, finished_at FROM dossier_party WHERE dossier = :code"
    assert [status for status, _ in await own_desk.rows(listed, code=code)] == [7]


async def test_transaction_that_fails_leaves_none_of_its_dossiers(own_desk: Desk) -> None:
    async with own_desk.sessions() as session:
        codes = [(await file(own_desk, session)).code for _ in range(3)]
        await move(own_desk, session, codes[0], 1, 5)
        await session.rollback()
    for code in codes:
        assert (await own_desk.read(code)).status_code == 404
        assert await own_desk.events(code) == []
