"""The progress of rebuilds: one row for each that has begun and not ended."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, cast, delete, extract, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from sync_service.national_view.models import ProjectionRebuild


class RebuildInterfered(Exception):  # noqa: N818 -- a fact about the rebuild
    """Another process continues the same rebuild."""


class RebuildProgress(NamedTuple):
    """The stage of a rebuild, and the position in it; each stored batch advances `version`."""

    projection: str
    version: int
    stage: str
    position: Mapping[str, Any]


# A rebuild begins at a version that no earlier one has reached, because a batch takes longer than a
# microsecond. A process that stood still through others would otherwise meet a version of its own.
_MICROSECONDS = cast(extract("epoch", func.clock_timestamp()) * 1_000_000, BigInteger)


async def begin_rebuild(session: AsyncSession, projection: str, stage: str) -> RebuildProgress:
    begun = insert(ProjectionRebuild).values(
        projection=projection, version=_MICROSECONDS, stage=stage, position={}
    )
    await session.execute(begun.on_conflict_do_nothing())
    row = (
        await session.execute(
            select(
                ProjectionRebuild.version, ProjectionRebuild.stage, ProjectionRebuild.position
            ).where(ProjectionRebuild.projection == projection)
        )
    ).one()
    return RebuildProgress(projection, *row)


async def advance_rebuild(
    session: AsyncSession, progress: RebuildProgress, stage: str, position: Mapping[str, Any]
) -> RebuildProgress:
    advanced = RebuildProgress(progress.projection, progress.version + 1, stage, position)
    changed = (
        update(ProjectionRebuild)
        .where(
            ProjectionRebuild.projection == progress.projection,
            ProjectionRebuild.version == progress.version,
        )
        .values(version=advanced.version, stage=stage, position=dict(position))
        .returning(ProjectionRebuild.version)
    )
    if await session.scalar(changed) is None:
        raise RebuildInterfered
    return advanced


async def end_rebuild(session: AsyncSession, progress: RebuildProgress) -> None:
    ended = (
        delete(ProjectionRebuild)
        .where(
            ProjectionRebuild.projection == progress.projection,
            ProjectionRebuild.version == progress.version,
        )
        .returning(ProjectionRebuild.version)
    )
    if await session.scalar(ended) is None:
        raise RebuildInterfered
