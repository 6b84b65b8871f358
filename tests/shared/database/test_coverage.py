"""A right covers the same agencies in Python and in SQL, in one statement for any number."""

from itertools import combinations

from sqlalchemy import String, column, select, values
from sqlalchemy.dialects import postgresql

from gateway.ledger.models import StoredRecord
from gateway.ledger.repository import _list_agency_conditions, _list_procedure_conditions
from identity_service.agencies.models import Agency
from identity_service.database import build_within_condition
from shared.codes.coverage import is_within
from shared.database.coverage import is_agency_within
from shared.database.engine import open_database
from shared.settings import ServiceSettings
from shared.web.calls.rights import Right

CODES = ["H26", "H2", "H26.1", "H26.10", "H26.1.2", "H26.1.2.3", "H29.1", "G18.04"]
MANY = [f"H26.{number}" for number in range(900)]


async def test_statement_finds_the_agencies_that_python_finds(settings: ServiceSettings) -> None:
    rows = values(column("agency", String), name="listed").data([(code,) for code in CODES])
    rights = [frozenset(some) for size in range(4) for some in combinations(CODES, size)]
    async with open_database(settings) as sessions, sessions() as session:
        for right in rights:
            query = select(rows.c.agency).where(is_agency_within(rows.c.agency, right))
            found = set((await session.scalars(query)).all())
            assert found == {code for code in CODES if is_within(code, right)}, right


def test_text_of_a_statement_does_not_grow_with_the_agencies_and_procedures_of_a_right() -> None:
    few = Right(
        sub="x",
        operation="GET /ledger/v1/records",
        grants=(),
        procedures=frozenset(["1.001193"]),
        fields=None,
        agencies=frozenset(MANY[:1]),
        exp=0,
    )
    procedures = frozenset(f"1.{number:06}" for number in range(900))
    many = few.model_copy(update={"agencies": frozenset(MANY), "procedures": procedures})
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for statement in (
        lambda right: select(StoredRecord).where(
            *_list_agency_conditions(right), *_list_procedure_conditions(right)
        ),
        lambda right: select(Agency).where(build_within_condition(Agency.code, right.agencies)),
    ):
        texts = {str(statement(right).compile(dialect=dialect)) for right in (few, many)}
        assert len(texts) == 1
