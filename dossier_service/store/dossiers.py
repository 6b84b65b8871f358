"""Reading dossiers: what a caller may not see does not exist, in the query itself."""

from typing import Any, TypeVar

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload

from dossier_service.models import Dossier, DossierParty, DossierStep
from shared.auth import Right

Found = TypeVar("Found")

_WITH_FEES_AND_RESULTS = select(Dossier).options(
    joinedload(Dossier.fees), joinedload(Dossier.results)
)
_WHOLE = _WITH_FEES_AND_RESULTS.options(
    joinedload(Dossier.applicant), selectinload(Dossier.documents)
)
_CODE = select(Dossier.code)


async def get_dossier(session: AsyncSession, code: str, right: Right) -> Dossier | None:
    query = _visible(_WITH_FEES_AND_RESULTS, code, right)
    return (await session.scalars(query)).unique().one_or_none()


async def get_whole_dossier(session: AsyncSession, code: str, right: Right) -> Dossier | None:
    """With the applicant and the papers too."""
    return (await session.scalars(_visible(_WHOLE, code, right))).unique().one_or_none()


async def is_visible(session: AsyncSession, code: str, right: Right) -> bool:
    return await session.scalar(_visible(_CODE, code, right)) is not None


def _visible(query: Select[Found], code: str, right: Right) -> Select[Found]:
    query = query.where(Dossier.code == code)
    if right.procedures is not None:
        # A national code covers its localised forms too.
        own, national = Dossier.procedure, func.left(Dossier.procedure, 8)
        query = query.where(or_(own.in_(right.procedures), national.in_(right.procedures)))
    if right.agencies is not None:
        query = query.where(
            select(DossierParty.dossier)
            .where(DossierParty.dossier == code, DossierParty.agency.in_(right.agencies))
            .exists()
        )
    return query


async def list_steps(
    session: AsyncSession, code: str, *, after: int, limit: int
) -> list[DossierStep]:
    query = (
        select(DossierStep)
        .where(DossierStep.dossier == code, DossierStep.version > after)
        .order_by(DossierStep.version)
        .limit(limit)
    )
    return list((await session.scalars(query)).all())


async def restate_parties(session: AsyncSession, dossier: Dossier) -> None:
    """Bring the lists in which the dossier stands to where it stands now."""
    standing: dict[str, Any] = {
        name: getattr(dossier, name) for name in ("status", "due_at", "finished_at")
    }
    await session.execute(
        update(DossierParty).where(DossierParty.dossier == dossier.code).values(standing),
        execution_options={"synchronize_session": False},
    )
