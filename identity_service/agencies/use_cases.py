from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Protocol

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.agencies import repository
from identity_service.agencies.models import Agency
from identity_service.agencies.problems import (
    AgenciesUnknown,
    AgencyClosed,
    AgencyExists,
    AgencyNotFound,
    refuse_beyond,
)
from identity_service.agencies.registry_seed import list_seed_agencies
from identity_service.agencies.schemas import AgencyFilter, AgencyIn
from identity_service.database import Within, add_missing
from shared.codes.agency import WrittenAgencyCode
from shared.codes.coverage import is_within
from shared.codes.persons.folding import fold_bare
from shared.messaging.outbox import publish_events
from shared.web.calls.auth import CallContext
from shared.web.etag import Precondition, require_version
from shared.web.pagination import PageParameters


class AgencyAct(StrEnum):
    """Name the acts on an agency that need two operators."""

    REPLACE = "replace"
    REOPEN = "reopen"


@dataclass(frozen=True)
class PendingAct:
    """Describe an act that waits until `expires_at` for the same request of a second operator."""

    target: str
    act: str
    proposed_by: str
    proposed_at: datetime
    expires_at: datetime


class OperatorApprovals(Protocol):
    """Decide whether operators have approved an act; the feature `clients` implements it."""

    async def lock_acts(self, session: AsyncSession) -> None:
        """Serialize the acts that depend on operators until the transaction ends."""

    async def require_operator(self, session: AsyncSession, caller: CallContext) -> None:
        """Raise a problem unless the caller is an active operator."""

    async def find_missing_approval(
        self,
        session: AsyncSession,
        caller: CallContext,
        code: str,
        *,
        act: AgencyAct,
        now: datetime,
        about: str = "",
    ) -> PendingAct | None:
        """Return the act that waits for a second operator, None where it may happen now."""


async def list_agencies(
    session: AsyncSession, caller: CallContext, filters: AgencyFilter, page: PageParameters
) -> tuple[Sequence[Agency], str | None]:
    """Return a page of agencies, and the cursor of the next one."""
    keyset = filters.read_keyset(page)
    after = keyset.key(WrittenAgencyCode)
    rows = await repository.list_agencies(
        session,
        caller.right.united_agencies,
        after=after[0] if after else None,
        limit=keyset.limit + 1,
        level=filters.level,
        parent=filters.parent,
        text=filters.q,
        day=filters.on,
    )
    return keyset.cut(rows, lambda agency: (agency.code,))


async def read_agency(session: AsyncSession, caller: CallContext, code: str) -> Agency:
    agency = await repository.find_agency(session, code, caller.right.united_agencies)
    if agency is None:
        raise AgencyNotFound
    return agency


async def register_agency(
    session: AsyncSession,
    caller: CallContext,
    registration: AgencyIn,
    *,
    approvals: OperatorApprovals,
    now: datetime,
) -> Agency | PendingAct:
    """Register the agency and close the ones that it replaces, in one transaction.

    Return the pending act where it replaces others and waits for a second operator.
    """
    await approvals.lock_acts(session)
    await approvals.require_operator(session, caller)
    _require_covered(caller, registration.code)
    last_day = registration.valid_from - timedelta(days=1)
    replaced = await _read_replaced(session, caller, registration, last_day)
    if await repository.find_agency(session, registration.code):
        raise AgencyExists
    if replaced and (
        pending := await approvals.find_missing_approval(
            session,
            caller,
            registration.code,
            act=AgencyAct.REPLACE,
            about=_hash_registration(registration),
            now=now,
        )
    ):
        return pending
    agency = await _add_agency(session, registration)
    for old in replaced:
        old.close(last_day, successor=agency.code)
    publish_events(session, agency.build_event(now), *(old.build_event(now) for old in replaced))
    return agency


async def _add_agency(session: AsyncSession, registration: AgencyIn) -> Agency:
    agency = await repository.add_agency(
        session,
        version=1,
        search_name=fold_bare(registration.name),
        valid_to=None,
        successor=None,
        confirmed=True,
        **registration.model_dump(exclude={"replaces"}),
    )
    if agency is None:
        raise AgencyExists
    return agency


async def _read_replaced(
    session: AsyncSession, caller: CallContext, registration: AgencyIn, last_day: date
) -> Sequence[Agency]:
    """Return the agencies to close.

    Raise AgenciesUnknown where one of them or the parent is unknown, AgencyClosed where one is
    closed before.
    """
    named = registration.replaces | ({registration.parent} if registration.parent else set())
    known = await repository.list_agencies_by_code(session, named, caller.right.united_agencies)
    if unknown := named - known.keys():
        raise AgenciesUnknown(unknown)
    replaced = [known[code] for code in sorted(registration.replaces)]
    for old in replaced:
        _require_open(old, last_day)
    return replaced


async def reopen_agency(
    session: AsyncSession,
    caller: CallContext,
    code: str,
    *,
    approvals: OperatorApprovals,
    expected_version: Precondition,
    now: datetime,
) -> Agency | PendingAct:
    """Undo the closing of an agency: clear its last day and its successor."""
    await approvals.lock_acts(session)
    agency = await read_agency(session, caller, code)
    await approvals.require_operator(session, caller)
    require_version(agency.version, expected_version)
    if agency.valid_to is None:
        return agency
    if pending := await approvals.find_missing_approval(
        session, caller, code, act=AgencyAct.REOPEN, now=now
    ):
        return pending
    agency.reopen()
    publish_events(session, agency.build_event(now))
    return agency


async def require_open_agencies(
    session: AsyncSession, codes: Collection[str], within: Within, day: date
) -> None:
    """Raise AgenciesUnknown or AgencyClosed unless each agency exists on the day."""
    known = await repository.list_agencies_by_code(session, codes, within)
    if unknown := set(codes) - known.keys():
        raise AgenciesUnknown(unknown)
    for code in codes:
        _require_open(known[code], day)


def _require_open(agency: Agency, day: date) -> None:
    """Raise AgencyClosed, which names the successor, unless the agency exists on the day."""
    if not agency.existed_on(day):
        raise AgencyClosed(agency.code, agency.successor)


def _require_covered(caller: CallContext, code: str) -> None:
    reached = caller.right.united_agencies
    if reached is not None and not is_within(code, reached):
        raise refuse_beyond("agencies", reached)


def _hash_registration(registration: AgencyIn) -> str:
    """Return the SHA-256, in hex, that shows whether two operators sent the same registration."""
    members = registration.model_dump(mode="json") | {"replaces": sorted(registration.replaces)}
    return sha256(orjson.dumps(members, option=orjson.OPT_SORT_KEYS)).hexdigest()


async def seed_agencies(session: AsyncSession, *, now: datetime) -> int:
    """Add the agencies of the registry's seed that are missing, and return their number."""
    rows = [
        asdict(agency) | {"version": 1, "search_name": fold_bare(agency.name)}
        for agency in list_seed_agencies()
    ]
    added = await add_missing(session, Agency, rows)
    publish_events(session, *(agency.build_event(now) for agency in added))
    return len(added)
