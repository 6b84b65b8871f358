"""Reads of agencies and published procedures, with which pushed rows are compared."""

from collections.abc import Collection, Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.procedure import canonical_procedure_code, parse_national_code
from sync_service.agencies import repository
from sync_service.agencies.terms import Terms, build_term
from sync_service.agencies.validity import NamedAgency


async def list_agencies(session: AsyncSession, codes: Collection[str]) -> Mapping[str, NamedAgency]:
    """Return the known agencies among the codes, by code."""
    agencies = await repository.list_agencies(session, codes)
    return {
        agency.code: NamedAgency(agency.name, agency.valid_from, agency.valid_to)
        for agency in agencies
    }


async def list_agency_names(
    session: AsyncSession, codes: Collection[str]
) -> Mapping[str, str | None]:
    """Return the names of the known agencies among the codes, by code."""
    return await repository.list_agency_names(session, codes)


async def list_procedure_terms(session: AsyncSession, codes: Collection[str]) -> Terms:
    """Return the terms of the published procedures among the codes, by code as it was given.

    A localised procedure without an entry of its own has the term of its national procedure.
    """
    candidates = {
        code: (canonical_procedure_code(code), parse_national_code(code)) for code in codes
    }
    all_codes = {code for pair in candidates.values() for code in pair}
    procedures = {
        procedure.code: procedure
        for procedure in await repository.list_procedures(session, all_codes)
    }
    published = {
        code: next((procedures[candidate] for candidate in pair if candidate in procedures), None)
        for code, pair in candidates.items()
    }
    return {
        code: build_term(procedure)
        for code, procedure in published.items()
        if procedure is not None
    }


async def is_catalogue_empty(session: AsyncSession) -> bool:
    """Return whether no procedure was announced yet; no code is unknown then."""
    return not await repository.has_procedures(session)
