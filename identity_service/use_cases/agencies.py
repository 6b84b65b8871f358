from datetime import date, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from identity_service import store
from identity_service.models import Agency
from identity_service.problems import AgenciesUnknown, AgencyClosed, AgencyExists, AgencyNotFound
from identity_service.schemas import AgencyIn
from identity_service.use_cases.limits import require_agency_covered
from identity_service.use_cases.operators import require_operator
from shared.auth import CallContext
from shared.folding import fold_bare
from shared.outbox import emit


async def read_agency(session: AsyncSession, caller: CallContext, code: str) -> Agency:
    agency = await store.get_agency(session, code, caller.right.united_agencies)
    if agency is None:
        raise AgencyNotFound
    return agency


async def register_agency(session: AsyncSession, caller: CallContext, new: AgencyIn) -> Agency:
    """Register it, and close those that it replaces: all of it, or nothing."""
    await require_operator(session, caller)
    require_agency_covered(caller, new.code)
    named = new.replaces | ({new.parent} if new.parent else set())
    known = await store.get_agencies(session, named, caller.right.united_agencies)
    if unknown := named - known.keys():
        raise AgenciesUnknown(unknown)
    agency = await store.add_agency(
        session,
        version=1,
        search_name=fold_bare(new.name),
        valid_to=None,
        successor=None,
        confirmed=True,
        **new.model_dump(exclude={"replaces"}),
    )
    if agency is None:
        raise AgencyExists
    replaced = [known[code] for code in sorted(new.replaces)]
    for old in replaced:
        last_day = new.valid_from - timedelta(days=1)
        require_open(old, last_day)
        old.close(last_day, successor=agency.code)
    emit(session, agency.changed(), *(old.changed() for old in replaced))
    return agency


def require_open(agency: Agency, day: date) -> None:
    """Raise AgencyClosed, which names the successor, unless the agency exists on the day."""
    if not agency.existed_on(day):
        raise AgencyClosed(agency.code, agency.successor)
