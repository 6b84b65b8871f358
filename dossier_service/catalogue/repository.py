"""Published procedures: kept in the database for ever, and in memory while they are in use."""

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, insert, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.catalogue.models import CatalogueImport, CurrentProcedure, ProcedureVersion
from dossier_service.catalogue.procedure import Procedure

CURRENT_SECONDS = 5.0
MOST_VERSIONS = 5_000
PUBLISHING_LOCK = 7_101


@dataclass(frozen=True, slots=True)
class Published:
    version: int
    valid_from: datetime
    procedure: Procedure


class ProcedureShelf:
    """Procedures in memory, so that filing a dossier asks the database for none.

    A version never changes and stays as long as there is room; which of them is in force is asked
    again after `CURRENT_SECONDS`.
    """

    def __init__(self) -> None:
        self._versions: OrderedDict[tuple[str, int], Published] = OrderedDict()
        self._current: dict[str, tuple[int, float]] = {}

    async def current(self, session: AsyncSession, code: str) -> Published | None:
        version, asked_at = self._current.get(code, (0, float("-inf")))
        if time.monotonic() - asked_at < CURRENT_SECONDS and (held := self._held(code, version)):
            return held
        query = _version_of(code).join(CurrentProcedure, _is_current())
        found = await self._fetch(session, query)
        if found:
            self._current[code] = found.version, time.monotonic()
        return found

    async def version(self, session: AsyncSession, code: str, version: int) -> Published | None:
        if held := self._held(code, version):
            return held
        return await self._fetch(
            session, _version_of(code).where(ProcedureVersion.version == version)
        )

    def _held(self, code: str, version: int) -> Published | None:
        if held := self._versions.get((code, version)):
            self._versions.move_to_end((code, version))
        return held

    async def _fetch(
        self, session: AsyncSession, query: Select[ProcedureVersion]
    ) -> Published | None:
        if (row := await session.scalar(query)) is None:
            return None
        published = _published(row)
        self._versions[row.code, row.version] = published
        if len(self._versions) > MOST_VERSIONS:
            self._versions.popitem(last=False)
        return published


def _version_of(code: str) -> Select[ProcedureVersion]:
    return select(ProcedureVersion).where(ProcedureVersion.code == code)


def _is_current() -> ColumnElement[bool]:
    return and_(
        CurrentProcedure.code == ProcedureVersion.code,
        CurrentProcedure.version == ProcedureVersion.version,
    )


def _published(row: ProcedureVersion) -> Published:
    return Published(row.version, row.valid_from, Procedure.model_validate(row.content))


async def all_current(session: AsyncSession) -> list[Published]:
    """Every procedure in force, by code."""
    query = select(ProcedureVersion).join(CurrentProcedure, _is_current())
    rows = await session.scalars(query.order_by(ProcedureVersion.code))
    return [_published(row) for row in rows]


async def lock_catalogue(session: AsyncSession) -> None:
    """One publishes at a time, or two would give out the same version."""
    await session.execute(select(func.pg_advisory_xact_lock(PUBLISHING_LOCK)))


async def current_digests(session: AsyncSession) -> Mapping[str, tuple[int, bytes]]:
    """The version in force of every procedure, and the digest of its content."""
    rows = await session.execute(
        select(CurrentProcedure.code, CurrentProcedure.version, CurrentProcedure.digest)
    )
    return {code: (version, digest) for code, version, digest in rows}


async def add_versions(
    session: AsyncSession, versions: Sequence[dict[str, Any]], current: Sequence[dict[str, Any]]
) -> None:
    """`versions` are rows of ProcedureVersion, `current` those of CurrentProcedure they become."""
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
    """Words are letters and digits only: nothing in them is a sign of a regular expression."""
    begun = [CurrentProcedure.plain_name.regexp_match(rf"\m{word}") for word in words]
    return and_(*begun) if begun else false()
