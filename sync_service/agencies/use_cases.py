"""Reads of agencies and published procedures, with which pushed rows are compared."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.procedure import parse_national_code
from sync_service.agencies import repository
from sync_service.agencies.terms import Terms, build_term


class KnownAgency(NamedTuple):
    """An agency; `name` is None while only dossiers have named it."""

    name: str | None
    valid_from: date | None
    valid_to: date | None

    def is_valid_on(self, day: date) -> bool:
        begun = self.valid_from is None or self.valid_from <= day
        return begun and (self.valid_to is None or day <= self.valid_to)


async def find_agencies(session: AsyncSession, codes: Collection[str]) -> Mapping[str, KnownAgency]:
    """Return the known agencies among the codes, by code."""
    found = await repository.find_agencies(session, codes)
    return {each.code: KnownAgency(each.name, each.valid_from, each.valid_to) for each in found}


async def find_names(session: AsyncSession, codes: Collection[str]) -> Mapping[str, str | None]:
    """Return the names of the known agencies among the codes, by code."""
    return await repository.find_names(session, codes)


async def find_terms(session: AsyncSession, codes: Collection[str]) -> Terms:
    """Return the terms of the published procedures among the codes, by code.

    A localised procedure without an entry of its own has the term of its national procedure.
    """
    wanted = {code: (code, parse_national_code(code)) for code in codes}
    asked = {each for pair in wanted.values() for each in pair}
    found = {each.code: each for each in await repository.find_procedures(session, asked)}
    published = {
        code: next((found[each] for each in pair if each in found), None)
        for code, pair in wanted.items()
    }
    return {code: build_term(each) for code, each in published.items() if each is not None}


async def is_catalogue_empty(session: AsyncSession) -> bool:
    """Return whether no procedure was announced yet; no code is unknown then."""
    return not await repository.has_procedures(session)
