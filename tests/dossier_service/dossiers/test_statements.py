"""What a call costs the database: statements beside the begin and the end of its transaction."""

from contextlib import AbstractContextManager
from uuid import uuid4

from tests.dossier_service.desk import DOSSIERS, Desk, wish
from tests.support.statements import statements


def counted(desk: Desk) -> AbstractContextManager[list[str]]:
    """Fills with the statements of what is called in it.

    Without those that fill the memory of procedures and agencies: they come every few seconds.
    """
    return statements(desk.sessions, keep=_is_of_the_call)


def _is_of_the_call(statement: str) -> bool:
    return not any(table in statement for table in ("FROM procedure_version", "FROM agency"))


def key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


async def test_filing_takes_three_statements(desk: Desk) -> None:
    with counted(desk) as statements:
        answer = await desk.try_file(wish(), headers=key())
    assert answer.status_code == 201
    assert len(statements) <= 3, statements


async def test_transition_takes_four_statements(desk: Desk) -> None:
    dossier = await desk.file()
    with counted(desk) as statements:
        answer = await desk.try_change(dossier, "transitions", {"to": 4}, headers=key())
    assert answer.status_code == 200
    assert len(statements) <= 4, statements


async def test_reading_takes_two_statements_and_a_list_one(desk: Desk) -> None:
    dossier = await desk.file()
    with counted(desk) as statements:
        assert (await desk.read(dossier["code"])).status_code == 200
    assert len(statements) <= 2, statements
    with counted(desk) as statements:
        assert (await desk.call(f"GET {DOSSIERS}")).status_code == 200
    assert len(statements) <= 1, statements
