"""Reading dossiers: what a caller may not see does not exist, in the query itself."""

from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload

from dossier_service.models import Dossier, DossierParty, DossierStep
from shared.auth import Right


async def get_dossier(session: AsyncSession, code: str, right: Right) -> Dossier | None:
    """With its fees and results."""
    query = _visible(code, right).options(joinedload(Dossier.fees), joinedload(Dossier.results))
    return (await session.scalars(query)).unique().one_or_none()


async def get_whole_dossier(session: AsyncSession, code: str, right: Right) -> Dossier | None:
    """With the applicant and the papers too."""
    query = _visible(code, right).options(
        joinedload(Dossier.applicant),
        joinedload(Dossier.fees),
        joinedload(Dossier.results),
        selectinload(Dossier.documents),
    )
    return (await session.scalars(query)).unique().one_or_none()


async def is_visible(session: AsyncSession, code: str, right: Right) -> bool:
    query = _visible(code, right).with_only_columns(Dossier.code)
    return await session.scalar(query) is not None


def _visible(code: str, right: Right) -> Select[Dossier]:
    query = select(Dossier).where(Dossier.code == code)
    if right.procedures is not None:
        query = query.where(Dossier.procedure.in_(right.procedures))
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
