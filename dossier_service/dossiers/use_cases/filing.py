"""A dossier is filed: with its applicant, papers and fees, in one transaction or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.agencies.cache import AgencyRegister
from dossier_service.catalogue.cache import ProcedureShelf
from dossier_service.catalogue.procedure import Fee, Procedure, Published
from dossier_service.dossiers.models import (
    Dossier,
    DossierApplicant,
    DossierDocument,
    DossierFee,
    DossierParty,
    DossierStep,
)
from dossier_service.dossiers.problems import (
    AgencyClosed,
    AgencyUnknown,
    ChannelNotOffered,
    FeeUnknown,
    ProcedureUnknown,
    TimeUnlikely,
)
from dossier_service.dossiers.purposes import require_filing_purpose
from dossier_service.dossiers.repository import filing as store
from dossier_service.dossiers.repository.listings import COUNTRY
from dossier_service.dossiers.schemas.requests import DocumentIn, FileDossier
from dossier_service.dossiers.term_cases import require_term_case
from dossier_service.dossiers.use_cases.deadlines import start_clock
from dossier_service.dossiers.use_cases.history import step_of, tell
from shared.codes.birth_date import require_born
from shared.codes.dossier import DOSSIER_CODE_LAYOUTS, DossierCodeLayout, format_dossier_code
from shared.codes.enums import Channel, DossierStatus
from shared.codes.person import person_hash
from shared.codes.time import day_in_viet_nam
from shared.events import DossierFiled
from shared.rules.deadlines import reception_due_at
from shared.rules.dossier_times import is_ahead
from shared.rules.statuses import first_status
from shared.web.calls.auth import CallContext, NotAllowed

LONGEST_BACK = timedelta(days=366)


@dataclass(frozen=True)
class FilingRules:
    """`layout` is of the code of new dossiers, `person_key` of the hash that names a person."""

    layout: DossierCodeLayout
    person_key: bytes


def hash_applicant(wish: FileDossier, rules: FilingRules) -> str | None:
    """Return the keyed hash of the applicant, None where the applicant has no personal number."""
    number = wish.applicant.number_of_person
    return person_hash(number, rules.person_key) if number else None


async def file_dossier(
    session: AsyncSession,
    wish: FileDossier,
    *,
    caller: CallContext,
    shelf: ProcedureShelf,
    register: AgencyRegister,
    rules: FilingRules,
    now: datetime,
) -> tuple[Dossier, Procedure]:
    _refuse_outside_right(wish, caller)
    today = day_in_viet_nam(now)
    require_born(wish.applicant.birth_date, today=today, at="body.applicant.birth_date")
    filed_at = _filing_time(wish, now)
    published = await shelf.current(session, wish.procedure)
    if published is None:
        raise ProcedureUnknown("Look it up at /dossier/v1/procedures.", procedure=wish.procedure)
    fees = _fees(wish, published.procedure)
    require_term_case(published.procedure, wish.channel, wish.term_case)
    await _check_agencies(session, wish, register, on=today)
    # Taken last: from here to the commit, the agency's next filing waits.
    serial = await store.next_serial(session, wish.received_by, today)
    layout = rules.layout if wish.received_by[0].isalpha() else DOSSIER_CODE_LAYOUTS["qcvn"]
    code = format_dossier_code(wish.received_by, today, serial, layout)
    dossier = _dossier(wish, published, code, filed_at=filed_at, now=now, rules=rules)
    dossier.fees, dossier.results = [_fee(code, fee) for fee in fees], []
    first = step_of(dossier, caller, "filed", now, from_status=None)
    store.insert_rows(
        session,
        {
            Dossier: [store.row_of(dossier)],
            DossierApplicant: [wish.applicant.model_dump() | {"dossier": code}],
            DossierDocument: _documents(wish.documents, code),
            DossierFee: [store.row_of(fee) for fee in dossier.fees],
            DossierParty: _parties(dossier),
            DossierStep: [first],
        },
    )
    tell(session, DossierFiled, dossier, now)
    return dossier, published.procedure


def _refuse_outside_right(wish: FileDossier, caller: CallContext) -> None:
    """Raise NotAllowed or PurposeOfAnotherProcedure; an agency that helps files too."""
    alternatives = caller.right.alternatives
    reaching = [each for each in alternatives if each.covers_procedure(wish.procedure)]
    if not reaching:
        raise NotAllowed(
            "File for a procedure of your right, or ask the owner of the data for a wider one.",
            lacking="purpose",
            at="body.procedure",
            procedure=wish.procedure,
        )
    if not any(
        each.covers(wish.procedure, [wish.received_by, wish.helped_by]) for each in reaching
    ):
        raise NotAllowed(
            "Use an agency of your right as received_by or helped_by, or ask the owner of the data "
            "for a right that reaches this one.",
            lacking="agency",
            at="body.received_by",
            agency=wish.received_by,
        )
    require_filing_purpose(caller, wish.procedure)


def _filing_time(wish: FileDossier, now: datetime) -> datetime:
    """When it was submitted. It is received now all the same: nobody receives in the past."""
    filed_at = wish.submitted_at or now
    if filed_at < now - LONGEST_BACK or is_ahead(filed_at, now):
        raise TimeUnlikely
    return min(filed_at, now).astimezone(UTC)


def _fees(wish: FileDossier, procedure: Procedure) -> Sequence[Fee]:
    if not procedure.accepts(wish.channel):
        offered = sorted(channel for channel in Channel if procedure.accepts(channel))
        raise ChannelNotOffered(channel=wish.channel, offered=offered)
    due = procedure.fees_due(wish.channel, found=wish.fees)
    if strangers := wish.fees - {fee.code for fee in due}:
        known = procedure.fees_due(wish.channel, found=frozenset(f.code for f in procedure.fees))
        raise FeeUnknown(
            "`fees` names those of the procedure that are due in this case.",
            count=len(strangers),
            known=[fee.code for fee in known],
        )
    return due


async def _check_agencies(
    session: AsyncSession, wish: FileDossier, register: AgencyRegister, *, on: date
) -> None:
    named = {
        place: code
        for place in ("helped_by", "received_by", "decided_by")
        if (code := getattr(wish, place))
    }
    # A registry that has told of no agency yet is late, not empty.
    if not (terms := await register.terms(session, named.values())):
        return
    if unknown := {place: code for place, code in named.items() if code not in terms}:
        raise AgencyUnknown(agencies=unknown)
    for place, code in named.items():
        first_day, last_day = terms[code].valid_from, terms[code].valid_to
        if on < first_day:
            raise AgencyClosed(f"Its first day is {first_day}.", at=place, agency=code)
        if last_day is not None and last_day < on:
            raise AgencyClosed(
                f"Its last day was {last_day}; name who continues it.",
                at=place,
                agency=code,
                successor=terms[code].successor,
            )


def _dossier(
    wish: FileDossier,
    published: Published,
    code: str,
    *,
    filed_at: datetime,
    now: datetime,
    rules: FilingRules,
) -> Dossier:
    status = first_status(wish.channel)
    is_received = status is DossierStatus.RECEIVED
    # What is not named here is not so yet, and empty.
    dossier = Dossier(
        code=code,
        version=1,
        external_code=wish.external_code,
        procedure=wish.procedure,
        procedure_version=published.version,
        channel=wish.channel,
        status=status,
        moved_at=now,
        changed_at=now,
        helped_by=wish.helped_by,
        received_by=wish.received_by,
        decided_by=wish.decided_by,
        filed_at=filed_at,
        reception_due_at=None if is_received else reception_due_at(filed_at),
        received_at=now if is_received else None,
        term_case=wish.term_case,
        requests=0,
        person=hash_applicant(wish, rules),
        summary=wish.summary,
    )
    if is_received:
        start_clock(dossier, published.procedure)
    return dossier


def _documents(documents: Sequence[DocumentIn], code: str) -> list[dict[str, Any]]:
    return [
        document.model_dump() | {"dossier": code, "position": position}
        for position, document in enumerate(documents, start=1)
    ]


def _fee(code: str, fee: Fee) -> DossierFee:
    return DossierFee(
        dossier=code,
        code=fee.code,
        name=fee.name,
        amount_vnd=fee.amount_vnd,
        when=fee.when,
        kind=fee.kind,
        paid_at=None,
        method=None,
        reference=None,
    )


_LISTED = (
    "filed_at",
    "procedure",
    "channel",
    "status",
    "due_at",
    "finished_at",
    "overdue_from",
)


def _parties(dossier: Dossier) -> list[dict[str, Any]]:
    agencies = {dossier.helped_by, dossier.received_by, dossier.decided_by} - {None}
    standing = {name: getattr(dossier, name) for name in _LISTED}
    listed = {COUNTRY}.union(*(with_those_above(agency) for agency in agencies if agency))
    return [standing | {"dossier": dossier.code, "agency": each} for each in sorted(listed)]


def with_those_above(agency: str) -> list[str]:
    """`H26.101.2` -> H26, H26.101, H26.101.2; a code of QCVN 102 says nothing of who is above."""
    if not agency[0].isalpha():
        return [agency]
    blocks = agency.split(".")
    return [".".join(blocks[:count]) for count in range(1, len(blocks) + 1)]
