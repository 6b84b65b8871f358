"""Queries and statements of the catalogue, whose versions are kept for ever."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, insert, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.catalogue.models import CatalogueImport, CurrentProcedure, ProcedureVersion
from dossier_service.catalogue.procedure import Procedure, PublishedProcedure
from shared.database.locks import CATALOGUE_PUBLISHING


async def find_current_version(session: AsyncSession, code: str) -> PublishedProcedure | None:
    query = _select_procedure_versions(code).join(CurrentProcedure, _is_current_version())
    return await _find_published_procedure(session, query)


async def find_version(session: AsyncSession, code: str, version: int) -> PublishedProcedure | None:
    query = _select_procedure_versions(code).where(ProcedureVersion.version == version)
    return await _find_published_procedure(session, query)


async def list_versions(
    session: AsyncSession, versions: Iterable[tuple[str, int]]
) -> Mapping[tuple[str, int], Procedure]:
    """Return the procedures of these versions, each under its code and version."""
    key = tuple_(ProcedureVersion.code, ProcedureVersion.version)
    rows = await session.scalars(select(ProcedureVersion).where(key.in_(sorted(versions))))
    return {(row.code, row.version): Procedure.model_validate(row.content) for row in rows}


def _select_procedure_versions(code: str) -> Select[ProcedureVersion]:
    return select(ProcedureVersion).where(ProcedureVersion.code == code)


async def _find_published_procedure(
    session: AsyncSession, query: Select[ProcedureVersion]
) -> PublishedProcedure | None:
    row = await session.scalar(query)
    return None if row is None else _make_published(row)


def _is_current_version() -> ColumnElement[bool]:
    return and_(
        CurrentProcedure.code == ProcedureVersion.code,
        CurrentProcedure.version == ProcedureVersion.version,
    )


def _make_published(row: ProcedureVersion) -> PublishedProcedure:
    return PublishedProcedure(row.version, row.valid_from, Procedure.model_validate(row.content))


async def list_current_versions(session: AsyncSession) -> list[PublishedProcedure]:
    """Return every procedure in force, by code."""
    query = select(ProcedureVersion).join(CurrentProcedure, _is_current_version())
    rows = await session.scalars(query.order_by(ProcedureVersion.code))
    return [_make_published(row) for row in rows]


async def lock_catalogue(session: AsyncSession) -> None:
    """Wait for the publishing lock: two publishers at once would issue the same version."""
    await session.execute(select(func.pg_advisory_xact_lock(CATALOGUE_PUBLISHING)))


async def read_current_digests(session: AsyncSession) -> Mapping[str, tuple[int, bytes]]:
    """Return the version in force of every procedure, and the digest of its content."""
    rows = await session.execute(
        select(CurrentProcedure.code, CurrentProcedure.version, CurrentProcedure.digest)
    )
    return {code: (version, digest) for code, version, digest in rows}


async def add_versions(
    session: AsyncSession, versions: Sequence[dict[str, Any]], current: Sequence[dict[str, Any]]
) -> None:
    """Insert rows of ProcedureVersion, and upsert the rows of CurrentProcedure that follow."""
    if not versions:
        return
    await session.execute(insert(ProcedureVersion), versions)
    change = upsert(CurrentProcedure)
    columns = {c.name: c for c in change.excluded if c.name != "code"}
    await session.execute(
        change.on_conflict_do_update(index_elements=["code"], set_=columns), current
    )


async def was_imported(session: AsyncSession, digest: bytes) -> bool:
    query = select(CatalogueImport.id).where(CatalogueImport.digest == digest).limit(1)
    return await session.scalar(query) is not None


async def list_sectors(session: AsyncSession) -> list[str]:
    return list(await session.scalars(select(CurrentProcedure.sector).distinct()))


async def list_procedures(
    session: AsyncSession,
    *,
    code_prefix: str | None,
    alternatives: Sequence[Sequence[str]] | None,
    owner: str | None,
    level: str | None,
    sectors: Sequence[str] | None,
    essential: bool | None,
    after: str | None,
    limit: int,
) -> list[CurrentProcedure]:
    """Return procedures by code, beginning after `after`; None in a filter does not narrow.

    A name fits `alternatives` where all words of one of the lists begin words of it; a list
    without any word fits no name.
    """
    query = select(CurrentProcedure).order_by(CurrentProcedure.code).limit(limit)
    if code_prefix is not None:
        query = query.where(CurrentProcedure.code.startswith(code_prefix, autoescape=True))
    if alternatives is not None:
        query = query.where(or_(false(), *map(_has_all_words, alternatives)))
    if owner is not None:
        query = query.where(CurrentProcedure.owner == owner)
    if level is not None:
        query = query.where(CurrentProcedure.levels.contains([level]))
    if sectors is not None:
        query = query.where(CurrentProcedure.sector.in_(sectors))
    if essential is not None:
        query = query.where(CurrentProcedure.essential == essential)
    if after is not None:
        query = query.where(CurrentProcedure.code > after)
    return list((await session.scalars(query)).all())


def _has_all_words(words: Sequence[str]) -> ColumnElement[bool]:
    """Match names with all words, which are letters and digits only and need no escape."""
    begun = [CurrentProcedure.plain_name.regexp_match(rf"\m{word}") for word in words]
    return and_(*begun) if begun else false()
