"""The right that the gateway asserts of a call: one or several sets of limits.

Limits of different grants never mix, so a call is allowed where one set of them covers all of it.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict

from shared.codes.coverage import canonical_codes, is_within, list_covering_codes

Codes = frozenset[str] | None
CanonicalCodes = Annotated[frozenset[str], AfterValidator(canonical_codes)] | None
Row = TypeVar("Row")


class Limits(BaseModel):
    """Limit procedures, fields and agencies: None means all, an agency covers all below it.

    Codes are taken in either written form, and kept in the one of QĐ 20.
    """

    model_config = ConfigDict(frozen=True)

    procedures: CanonicalCodes
    fields: Codes
    agencies: CanonicalCodes

    def covers_procedure(self, code: str) -> bool:
        """A national code covers its localised forms too: `1.001193` covers `1.001193.H26`."""
        return self.procedures is None or not self.procedures.isdisjoint(list_covering_codes(code))

    def covers_agency(self, code: str) -> bool:
        return self.agencies is None or is_within(code, self.agencies)

    def covers_fields(self, fields: Collection[str]) -> bool:
        return self.fields is None or self.fields.issuperset(fields)

    def covers(self, procedure: str, agencies: Iterable[str | None]) -> bool:
        """Return whether it covers the procedure and one of the agencies of a dossier."""
        return self.covers_procedure(procedure) and any(
            self.covers_agency(code) for code in agencies if code is not None
        )


class Right(Limits):
    """State what the gateway found in force: its own limits, the widest, and those of `others`."""

    sub: str
    operation: str
    grants: tuple[str, ...]
    exp: int
    others: tuple[Limits, ...] = ()

    @property
    def alternatives(self) -> tuple[Limits, ...]:
        """Each allows a call by itself; the widest comes first."""
        return (self, *self.others)

    @property
    def united_agencies(self) -> Codes:
        """The agencies that the alternatives reach, for rows of which agencies are all."""
        united: Codes = frozenset()
        for limits in self.alternatives:
            united = unite_codes(united, limits.agencies)
        return united


def unite_codes(some: Codes, more: Codes) -> Codes:
    return None if some is None or more is None else some | more


async def merge_newest_rows(
    right: Right, read: Callable[[Limits], Awaitable[Sequence[Row]]], *, key: Callable[[Row], Any]
) -> list[Row]:
    """Merge the newest rows that each alternative reaches, by descending `key`.

    `read` returns the rows of one alternative in that order, as many as a page needs. A row that
    several alternatives reach comes once, with the first.
    """
    first, *others = right.alternatives
    rows = list(await read(first))
    if not others:
        return rows
    merged = {key(row): row for row in rows}
    for limits in others:
        for row in await read(limits):
            merged.setdefault(key(row), row)
    return [merged[each] for each in sorted(merged, reverse=True)]
