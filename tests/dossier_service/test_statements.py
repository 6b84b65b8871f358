"""What a call costs the database: statements beside the begin and the end of its transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from sqlalchemy import event

from tests.dossier_service.desk import DOSSIERS, Desk, wish


@contextmanager
def counted(desk: Desk) -> Iterator[list[str]]:
    """Fills with the statements of what is called in it.

    Without those that fill the memory of procedures and agencies: they come every few seconds.
    """
    statements: list[str] = []
    engine = desk.sessions.kw["bind"].sync_engine

    def note(_: Any, __: Any, statement: str, *_others: Any) -> None:
        if not any(table in statement for table in ("FROM procedure_version", "FROM agency")):
            statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


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
