"""The published procedures, as far as pushed rows are held against them."""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from operator import attrgetter

from sqlalchemy import ARRAY, String, any_, bindparam, exists, select
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.procedure import national_code
from shared.events import ProcedurePublished
from shared.rules.deadlines import Term, Unit
from sync_service.agencies.models import Procedure
from sync_service.database import table
from sync_service.sets import columns, insertion

PUBLISHED = ("code", "version", "active", "term_duration", "term_unit", "term_same_day")

# Of a code, also of a localised one: the longest term, None where none is published.
Terms = Mapping[str, Term | None]


async def project_procedures(session: AsyncSession, events: Sequence[ProcedurePublished]) -> None:
    """Raises ValueError where a code or a term is none: each push would fall over it."""
    newest: dict[str, ProcedurePublished] = {}
    for event in events:
        national_code(event.code)
        _term(event)
        if event.code not in newest or newest[event.code].version <= event.version:
            newest[event.code] = event
    rows = [_published(event) for _, event in sorted(newest.items())]
    await session.execute(_publishing(), columns(Procedure, PUBLISHED, rows))


_published = attrgetter(*PUBLISHED)


@cache
def _publishing() -> Insert:
    statement = insertion(Procedure, *PUBLISHED)
    others = {name: statement.excluded[name] for name in PUBLISHED if name != "code"}
    # A version that is announced again says the same, or mends what was kept of it.
    newer = table(Procedure).c.version <= statement.excluded.version
    return statement.on_conflict_do_update(index_elements=["code"], set_=others, where=newer)


async def find_terms(session: AsyncSession, codes: Collection[str]) -> Terms:
    """Return those of the codes that are published; a localised one counts by its national one."""
    wanted = {code: (code, national_code(code)) for code in codes}
    asked = sorted({each for pair in wanted.values() for each in pair})
    query = select(Procedure).where(
        Procedure.code == any_(bindparam(None, asked, type_=ARRAY(String)))
    )
    found = {each.code: each for each in await session.scalars(query)}
    published = {
        code: next((found[each] for each in pair if each in found), None)
        for code, pair in wanted.items()
    }
    return {code: _term(each) for code, each in published.items() if each is not None}


async def is_empty(session: AsyncSession) -> bool:
    """Return whether no procedure was announced yet: then none is unknown."""
    return not await session.scalar(select(exists(select(Procedure.code))))


def _term(procedure: Procedure | ProcedurePublished) -> Term | None:
    if procedure.term_duration is None or procedure.term_unit is None:
        return None
    unit = Unit(procedure.term_unit)
    return Term(procedure.term_duration, unit, same_day=bool(procedure.term_same_day))
