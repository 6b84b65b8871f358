from collections.abc import Sequence
from datetime import date, timedelta
from hashlib import sha256

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.agencies import repository as agency_store
from identity_service.agencies.models import Agency
from identity_service.agencies.problems import (
    AgenciesUnknown,
    AgencyClosed,
    AgencyExists,
    AgencyNotFound,
)
from identity_service.agencies.schemas import AgencyIn
from identity_service.clients import repository as client_store
from identity_service.clients.models import Proposal
from identity_service.clients.use_cases.approvals import Consent, OperatorAct, find_missing_approval
from identity_service.clients.use_cases.operators import require_operator
from identity_service.grants.limits import require_agency_covered
from shared.codes.folding import fold_bare
from shared.messaging.outbox import emit
from shared.web.calls.auth import CallContext
from shared.web.etag import Condition, require_version


async def read_agency(session: AsyncSession, caller: CallContext, code: str) -> Agency:
    agency = await agency_store.get_agency(session, code, caller.right.united_agencies)
    if agency is None:
        raise AgencyNotFound
    return agency


async def register_agency(
    session: AsyncSession, consent: Consent, new: AgencyIn
) -> Agency | Proposal:
    """Register it, and close those that it replaces: all of it, or nothing.

    Return the proposal where it replaces others and waits for a second operator.
    """
    caller = consent.caller
    await client_store.lock_client_acts(session)
    await require_operator(session, caller)
    require_agency_covered(caller, new.code)
    last_day = new.valid_from - timedelta(days=1)
    replaced = await _read_replaced(session, caller, new, last_day)
    if await agency_store.get_agency(session, new.code):
        raise AgencyExists
    if replaced and (
        proposal := await find_missing_approval(
            session, consent, new.code, act=OperatorAct.REPLACE_AGENCIES, about=_digest(new)
        )
    ):
        return proposal
    agency = await agency_store.add_agency(
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
    for old in replaced:
        old.close(last_day, successor=agency.code)
    emit(session, agency.changed(), *(old.changed() for old in replaced))
    return agency


async def _read_replaced(
    session: AsyncSession, caller: CallContext, new: AgencyIn, last_day: date
) -> Sequence[Agency]:
    """Raise AgenciesUnknown, of the parent too, or AgencyClosed."""
    named = new.replaces | ({new.parent} if new.parent else set())
    known = await agency_store.get_agencies(session, named, caller.right.united_agencies)
    if unknown := named - known.keys():
        raise AgenciesUnknown(unknown)
    replaced = [known[code] for code in sorted(new.replaces)]
    for old in replaced:
        require_open(old, last_day)
    return replaced


async def reopen_agency(
    session: AsyncSession, consent: Consent, code: str, *, expected_version: Condition
) -> Agency | Proposal:
    """Undo the closing of an agency: it has no last day and no successor any more."""
    await client_store.lock_client_acts(session)
    agency = await read_agency(session, consent.caller, code)
    await require_operator(session, consent.caller)
    require_version(agency.version, expected_version)
    if agency.valid_to is None:
        return agency
    act = OperatorAct.REOPEN_AGENCY
    if proposal := await find_missing_approval(session, consent, code, act=act):
        return proposal
    agency.reopen()
    emit(session, agency.changed())
    return agency


def require_open(agency: Agency, day: date) -> None:
    """Raise AgencyClosed, which names the successor, unless the agency exists on the day."""
    if not agency.existed_on(day):
        raise AgencyClosed(agency.code, agency.successor)


def _digest(new: AgencyIn) -> str:
    """Return the digest by which a second operator confirms the very same registration."""
    members = new.model_dump(mode="json") | {"replaces": sorted(new.replaces)}
    return sha256(orjson.dumps(members, option=orjson.OPT_SORT_KEYS)).hexdigest()
