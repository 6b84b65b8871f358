"""A right covers the same agencies and procedures in Python and in SQL, in one statement."""

from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import settings as limits_of
from hypothesis import strategies as st
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    String,
    any_,
    bindparam,
    column,
    select,
    values,
)
from sqlalchemy.dialects import postgresql

from gateway.ledger.models import StoredRecord
from gateway.ledger.repository import _list_agency_conditions, _list_procedure_conditions
from identity_service.agencies.models import Agency
from identity_service.database import build_within_condition
from shared.codes.agency import is_agency_code
from shared.codes.coverage import (
    canonical_code,
    canonical_codes,
    is_within,
    list_covering_codes,
    list_written_procedure_codes,
)
from shared.codes.procedure import is_localised_code
from shared.database.coverage import (
    canonical_agency,
    canonical_procedure,
    cut_to_national_code,
    is_agency_within,
    is_procedure_covered,
)
from shared.database.engine import open_database
from shared.settings import ServiceSettings
from shared.web.calls.rights import Right

MANY = [f"H26.{number}" for number in range(900)]
NATIONAL = ("1.001193", "2.000815")

# Few different groups, so that many of the drawn codes cover each other.
_first = st.sampled_from(["H26", "G18"])
_two_digits = st.sampled_from(["00", "01", "14"])
_three_digits = st.sampled_from(["000", "001", "140"])
_group = st.sampled_from(["0", "1", "01", "14", "00", "001", "000"])
_newer = st.builds(
    lambda first, groups: ".".join([first, *groups]), _first, st.lists(_group, max_size=8)
).filter(is_agency_code)
_older = st.builds(
    lambda *groups: ".".join(groups), _three_digits, _two_digits, _two_digits, _first
)
agencies = st.one_of(_older, _newer)
_national = st.sampled_from(NATIONAL)
procedures = st.one_of(
    _national, st.builds(lambda code, agency: f"{code}.{agency}", _national, agencies)
)
# Texts that begin like a localised code.
_ENDINGS = [
    ".xyz",
    ".",
    "H26",
    "..H26",
    ".H26.",
    ".H26\n",
    ".h26",
    ".H26.1234",
    ".H26.123.456.789.012",
    ".H26.001.001.001.001.001.001.001.001",
    ".00.00.04.H26",
    ".000.00.00.H2６",
]
texts = st.one_of(
    procedures,
    st.builds(lambda code, ending: code + ending, _national, st.sampled_from(_ENDINGS)),
    st.sampled_from(["1,001193.H26.01", "1,001193.000.00.01.H26"]),
    st.sampled_from(["13/2023/ND-CP", "", "x.001193.H26", "1.00119.H26", "0.001193.H26"]),
)

# The database is only read: one serves all examples.
on_one_database = limits_of(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def many(codes: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(codes, min_size=60, max_size=60)


def rights_to(codes: st.SearchStrategy[str]) -> st.SearchStrategy[list[frozenset[str]]]:
    return st.lists(st.frozensets(codes, max_size=3), min_size=12, max_size=12)


async def read_columns(
    service: ServiceSettings, codes: Sequence[str], *columns: ColumnElement[Any]
) -> list[tuple[Any, ...]]:
    """Return the columns over the codes, one row a code, in their order."""
    rows = values(column("place", Integer), column("code", String), name="drawn")
    query = select(*columns).select_from(rows.data(list(enumerate(codes))))
    async with open_database(service) as sessions, sessions() as session:
        return [tuple(row) for row in await session.execute(query.order_by(column("place")))]


def match_any(codes: Sequence[str]) -> ColumnElement[Any]:
    return any_(bindparam(None, codes, type_=ARRAY(String)))


CODE = column("code", String)


@on_one_database
@given(codes=many(agencies), rights=rights_to(agencies))
async def test_statement_finds_the_agencies_that_python_finds(
    settings: ServiceSettings, codes: list[str], rights: list[frozenset[str]]
) -> None:
    limits = [canonical_codes(right) for right in rights]
    agency = canonical_agency(CODE)
    rows = await read_columns(
        settings, codes, agency, *(is_agency_within(agency, codes) for codes in limits)
    )
    for code, (canonical, *covered) in zip(codes, rows, strict=True):
        assert canonical == canonical_code(code)
        assert covered == [is_within(code, codes) for codes in limits], code


@on_one_database
@given(codes=many(texts), rights=rights_to(texts))
async def test_statement_finds_the_procedures_that_python_finds_among_any_texts(
    settings: ServiceSettings, codes: list[str], rights: list[frozenset[str]]
) -> None:
    limits = [canonical_codes(right) for right in rights]
    written = [match_any(list_written_procedure_codes(codes)) for codes in limits]
    rows = await read_columns(
        settings, codes, *(is_procedure_covered(CODE, codes) for codes in written)
    )
    for code, covered in zip(codes, rows, strict=True):
        expected = [not codes.isdisjoint(list_covering_codes(code)) for codes in limits]
        assert list(covered) == expected, code


@on_one_database
@given(codes=many(procedures), rights=rights_to(procedures))
async def test_statement_cuts_and_turns_the_procedures_that_python_cuts_and_turns(
    settings: ServiceSettings, codes: list[str], rights: list[frozenset[str]]
) -> None:
    limits = [canonical_codes(right) for right in rights]
    national = cut_to_national_code(CODE)
    written = [match_any(list_written_procedure_codes(codes)) for codes in limits]
    covers = [is_procedure_covered(CODE, codes, national=national) for codes in written]
    rows = await read_columns(settings, codes, canonical_procedure(CODE), national, *covers)
    for code, (canonical, cut, *covered) in zip(codes, rows, strict=True):
        assert canonical == canonical_code(code)
        assert cut == (code[:8] if is_localised_code(code) else code)
        expected = [not codes.isdisjoint(list_covering_codes(code)) for codes in limits]
        assert covered == expected, code


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
