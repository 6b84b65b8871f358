"""The right that the gateway asserts for a call: one or several sets of limits.

Limits of different grants never combine, so one set must cover the whole call.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict

from shared.codes.coverage import canonical_codes, is_within, list_covering_codes

Codes = frozenset[str] | None
CanonicalCodes = Annotated[frozenset[str], AfterValidator(canonical_codes)] | None
RowType = TypeVar("RowType")


class Limits(BaseModel):
    """Limits of procedures, fields and agencies: None means all, an agency covers all below it.

    Codes are accepted in either written form, and stored in that of QĐ 20.
    """

    model_config = ConfigDict(frozen=True)

    procedures: CanonicalCodes
    fields: Codes
    agencies: CanonicalCodes

    def covers_procedure(self, code: str) -> bool:
        """Return whether the code is covered, or the national code of a localised one."""
        return self.procedures is None or not self.procedures.isdisjoint(list_covering_codes(code))

    def covers_agency(self, code: str) -> bool:
        return self.agencies is None or is_within(code, self.agencies)

    def covers_fields(self, fields: Collection[str]) -> bool:
        return self.fields is None or self.fields.issuperset(fields)

    def covers(self, procedure: str, agencies: Iterable[str | None]) -> bool:
        """Return whether the limits cover the procedure and one of the agencies of a dossier."""
        return self.covers_procedure(procedure) and any(
            self.covers_agency(code) for code in agencies if code is not None
        )


class Right(Limits):
    """The right in force: its own limits, which are the widest, and those of `others`."""

    sub: str
    operation: str
    grants: tuple[str, ...]
    exp: int
    others: tuple[Limits, ...] = ()

    @property
    def alternatives(self) -> tuple[Limits, ...]:
        """All sets of limits, each of which can allow a call; the widest comes first."""
        return (self, *self.others)

    @property
    def united_agencies(self) -> Codes:
        """The union of the agencies of all alternatives, for rows that only agencies limit."""
        united: Codes = frozenset()
        for limits in self.alternatives:
            united = unite_codes(united, limits.agencies)
        return united


def unite_codes(some: Codes, more: Codes) -> Codes:
    return None if some is None or more is None else some | more


async def merge_newest_rows(
    right: Right,
    read: Callable[[Limits], Awaitable[Sequence[RowType]]],
    *,
    key: Callable[[RowType], Any],
) -> list[RowType]:
    """Return the newest rows that any alternative covers, by descending `key`.

    `read` returns the rows of one alternative in that order, as many as a page needs. A row that
    several alternatives cover appears once, as the first one read it.
    """
    first, *others = right.alternatives
    rows = list(await read(first))
    if not others:
        return rows
    merged = {key(row): row for row in rows}
    for limits in others:
        for row in await read(limits):
            merged.setdefault(key(row), row)
    return [merged[place] for place in sorted(merged, reverse=True)]
