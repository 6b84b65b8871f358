"""Read a dossier for a change, check the change, and record its step."""

from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.catalogue.cache import ProcedureCache
from dossier_service.catalogue.procedure import Procedure
from dossier_service.dossiers.models import Dossier, DossierStep
from dossier_service.dossiers.problems import NotResponsible, TooManyChanges
from dossier_service.dossiers.purposes import require_purpose
from dossier_service.dossiers.repository import dossiers as repository
from dossier_service.dossiers.repository.filing import defer_row_inserts
from shared.codes.enums import DossierStatus
from shared.web.calls.auth import CallContext
from shared.web.etag import Precondition, require_version
from shared.web.problems import name_subject_on_problems

# Each change is a row of the history and an event. A dossier with so many still takes payments of
# its fees, results and moves to a status that ends it; the number of each of them is bounded.
MAX_CHANGES: Final = 500


async def read_dossier(session: AsyncSession, code: str, caller: CallContext) -> Dossier:
    dossier = await repository.read_dossier(session, code, caller.right)
    require_dossier_purpose(caller, dossier)
    return dossier


def require_dossier_purpose(caller: CallContext, dossier: Dossier) -> None:
    """Raise PurposeOfAnotherProcedure, which names the person of the dossier for the ledger."""
    with name_subject_on_problems(dossier.person):
        require_purpose(caller, dossier.procedure)


async def read_kept_procedure(
    session: AsyncSession, procedures: ProcedureCache, dossier: Dossier
) -> Procedure:
    """Return the procedure in the version that the dossier keeps."""
    version = await procedures.find_version(session, dossier.procedure, dossier.procedure_version)
    assert version is not None, "a foreign key holds it"
    return version.procedure


async def read_dossier_to_change(
    session: AsyncSession,
    code: str,
    caller: CallContext,
    expected_version: Precondition,
    to: int | None = None,
) -> Dossier:
    """Return the dossier for a change by the responsible agency, or raise NotResponsible.

    The deciding agency ends the handling and issues results.
    """
    dossier = await read_dossier(session, code, caller)
    decides = to == DossierStatus.PROCESSED
    acting = dossier.decided_by if decides else dossier.responsible_agency
    if not any(limits.covers(dossier.procedure, [acting]) for limits in caller.right.alternatives):
        raise NotResponsible(responsible_agency=acting)
    require_version(dossier.version, expected_version)
    return dossier


def require_change_allowed(dossier: Dossier) -> None:
    """Raise TooManyChanges if the dossier may only be ended; its filing was no change."""
    if dossier.version > MAX_CHANGES:
        raise TooManyChanges(limit=MAX_CHANGES)


def record_step(session: AsyncSession, step: dict[str, Any]) -> None:
    defer_row_inserts(session, {DossierStep: [step]})
