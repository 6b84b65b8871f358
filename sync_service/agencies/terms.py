"""The term of a procedure, as the catalogue publishes it. Pure."""

from collections.abc import Mapping
from typing import Protocol

from shared.rules.deadlines import Term, Unit

# The longest term by procedure code, localised or national; None where none is published.
Terms = Mapping[str, Term | None]


class PublishedTerm(Protocol):
    """An announced procedure or the row that is stored of it."""

    @property
    def term_duration(self) -> int | None: ...
    @property
    def term_unit(self) -> str | None: ...
    @property
    def term_same_day(self) -> bool | None: ...


def build_term(procedure: PublishedTerm) -> Term | None:
    """Return the longest term, None without one; raise ValueError for an unknown unit."""
    if procedure.term_duration is None or procedure.term_unit is None:
        return None
    unit = Unit(procedure.term_unit)
    return Term(procedure.term_duration, unit, same_day=bool(procedure.term_same_day))
