"""File a dossier with its applicant, papers and fees, in one transaction or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.agencies.cache import AgencyCache
from dossier_service.catalogue.cache import ProcedureCache
from dossier_service.catalogue.procedure import Fee, Procedure, PublishedProcedure
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
from dossier_service.dossiers.repository import filing as repository
from dossier_service.dossiers.repository.listings import ALL_AGENCIES
from dossier_service.dossiers.schemas.requests import DocumentIn, FileDossier
from dossier_service.dossiers.term_cases import require_term_case
from dossier_service.dossiers.use_cases.deadlines import set_due_dates
from dossier_service.dossiers.use_cases.history import history_entry, publish_change
from shared.codes.coverage import list_self_and_above
from shared.codes.dossier import DOSSIER_CODE_LAYOUTS, DossierCodeLayout, format_dossier_code
from shared.codes.enums import Channel, DossierStatus
from shared.codes.persons.person_hash import hash_person
from shared.codes.time import day_in_viet_nam
from shared.events import DossierFiled
from shared.rules.deadlines import reception_due_at
from shared.rules.dossier_times import is_ahead
from shared.rules.statuses import first_status
from shared.texts.translatable import Translatable
from shared.web.birth_dates import require_born
from shared.web.calls.auth import CallContext, NotAllowed

MAX_AGE = timedelta(days=366)


@dataclass(frozen=True)
class FilingRules:
    """The layout of new dossier codes, and the key of the hash that names a person."""

    layout: DossierCodeLayout
    person_key: bytes


def hash_applicant(filing: FileDossier, rules: FilingRules) -> str | None:
    """Return the `person` of a dossier, None where the applicant has no personal number."""
    number = filing.applicant.identifying_number
    return hash_person(number, rules.person_key) if number else None


async def file_dossier(
    session: AsyncSession,
    filing: FileDossier,
    *,
    caller: CallContext,
    procedures: ProcedureCache,
    agencies: AgencyCache,
    rules: FilingRules,
    person: str | None,
    now: datetime,
) -> tuple[Dossier, Procedure]:
    _require_right_to_file(filing, caller)
    today = day_in_viet_nam(now)
    require_born(filing.applicant.birth_date, today=today, at="body.applicant.birth_date")
    filed_at = _choose_filing_time(filing, now)
    published = await procedures.find_current(session, filing.procedure)
    if published is None:
        raise ProcedureUnknown(procedure=filing.procedure)
    fees = _list_due_fees(filing, published.procedure)
    require_term_case(published.procedure, filing.channel, filing.term_case)
    await _require_active_agencies(session, filing, agencies, on=today)
    # Taken last: from here to the commit, the agency's next filing waits.
    serial = await repository.take_next_serial(session, filing.receiving_agency, today)
    code = _format_code(filing, serial, rules, on=today)
    dossier = _make_dossier(filing, published, code, filed_at=filed_at, now=now, person=person)
    dossier.fees, dossier.results = [_make_fee(code, fee) for fee in fees], []
    first = history_entry(dossier, caller, "filed", now, from_status=None)
    repository.defer_row_inserts(
        session,
        {
            Dossier: [repository.make_row(dossier)],
            DossierApplicant: [filing.applicant.model_dump() | {"dossier": code}],
            DossierDocument: _make_document_rows(filing.documents, code),
            DossierFee: [repository.make_row(fee) for fee in dossier.fees],
            DossierParty: _make_party_rows(dossier),
            DossierStep: [first],
        },
    )
    publish_change(session, DossierFiled, dossier, now)
    return dossier, published.procedure


def _format_code(filing: FileDossier, serial: int, rules: FilingRules, *, on: date) -> str:
    """Return the code, in the form in which the receiving agency is written."""
    layout = rules.layout if filing.received_by[0].isalpha() else DOSSIER_CODE_LAYOUTS["qcvn"]
    return format_dossier_code(filing.received_by, on, serial, layout)


def _require_right_to_file(filing: FileDossier, caller: CallContext) -> None:
    """Raise NotAllowed or PurposeOfAnotherProcedure; an agency that helps files too."""
    alternatives = caller.right.alternatives
    reaching = [limits for limits in alternatives if limits.covers_procedure(filing.procedure)]
    if not reaching:
        raise NotAllowed(
            Translatable(
                "File for a procedure of your right, or ask the owner of the data for a wider one."
            ),
            lacking="purpose",
            at="body.procedure",
            procedure=filing.procedure,
        )
    if not any(
        limits.covers(filing.procedure, [filing.received_by, filing.helped_by])
        for limits in reaching
    ):
        raise NotAllowed(
            Translatable(
                "Use an agency of your right as received_by or helped_by, or ask the owner of "
                "the data for a right that reaches this one."
            ),
            lacking="agency",
            at="body.received_by",
            agency=filing.received_by,
        )
    require_filing_purpose(caller, filing.procedure)


def _choose_filing_time(filing: FileDossier, now: datetime) -> datetime:
    """Return the time of submission; the dossier is received now all the same."""
    filed_at = filing.submitted_at or now
    if filed_at < now - MAX_AGE or is_ahead(filed_at, now):
        raise TimeUnlikely
    return min(filed_at, now).astimezone(UTC)


def _list_due_fees(filing: FileDossier, procedure: Procedure) -> Sequence[Fee]:
    if not procedure.accepts_channel(filing.channel):
        offered = sorted(channel for channel in Channel if procedure.accepts_channel(channel))
        raise ChannelNotOffered(channel=filing.channel, offered=offered)
    due = procedure.list_fees_due(filing.channel, confirmed=filing.fees)
    if strangers := filing.fees - {fee.code for fee in due}:
        known = procedure.list_fees_due(
            filing.channel, confirmed=frozenset(f.code for f in procedure.fees)
        )
        raise FeeUnknown(
            Translatable("`fees` names those of the procedure that are due in this case."),
            count=len(strangers),
            known=[fee.code for fee in known],
        )
    return due


async def _require_active_agencies(
    session: AsyncSession, filing: FileDossier, agencies: AgencyCache, *, on: date
) -> None:
    named = {"received_by": filing.receiving_agency, "decided_by": filing.decided_by}
    if filing.helped_by:
        named = {"helped_by": filing.helped_by, **named}
    # Without any announced agency the registry is late, not empty.
    if not (terms := await agencies.read_terms(session, named.values())):
        return
    if unknown := {place: code for place, code in named.items() if code not in terms}:
        raise AgencyUnknown(agencies=unknown)
    for place, code in named.items():
        first_day, last_day = terms[code].valid_from, terms[code].valid_to
        if on < first_day:
            raise AgencyClosed(
                Translatable("Its first day is {first_day}.", first_day=first_day),
                at=place,
                agency=code,
            )
        if last_day is not None and last_day < on:
            raise AgencyClosed(
                Translatable(
                    "Its last day was {last_day}; name the agency that continues it.",
                    last_day=last_day,
                ),
                at=place,
                agency=code,
                successor=terms[code].successor,
            )


def _make_dossier(
    filing: FileDossier,
    published: PublishedProcedure,
    code: str,
    *,
    filed_at: datetime,
    now: datetime,
    person: str | None,
) -> Dossier:
    status = first_status(filing.channel)
    is_received = status is DossierStatus.RECEIVED
    # Fields that are not set here are NULL at filing.
    dossier = Dossier(
        code=code,
        version=1,
        external_code=filing.external_code,
        procedure=filing.procedure,
        procedure_version=published.version,
        channel=filing.channel,
        status=status,
        moved_at=now,
        changed_at=now,
        helped_by=filing.helped_by,
        received_by=filing.receiving_agency,
        decided_by=filing.decided_by,
        filed_at=filed_at,
        reception_due_at=None if is_received else reception_due_at(filed_at),
        received_at=now if is_received else None,
        term_case=filing.term_case,
        requests=0,
        person=person,
        summary=filing.summary,
    )
    if is_received:
        set_due_dates(dossier, published.procedure)
    return dossier


def _make_document_rows(documents: Sequence[DocumentIn], code: str) -> list[dict[str, Any]]:
    return [
        document.model_dump() | {"dossier": code, "position": position}
        for position, document in enumerate(documents, start=1)
    ]


def _make_fee(code: str, fee: Fee) -> DossierFee:
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


def _make_party_rows(dossier: Dossier) -> list[dict[str, Any]]:
    agencies = {dossier.helped_by, dossier.received_by, dossier.decided_by} - {None}
    columns = {name: getattr(dossier, name) for name in _LISTED}
    listed = {ALL_AGENCIES}.union(*(list_self_and_above(agency) for agency in agencies if agency))
    return [columns | {"dossier": dossier.code, "agency": agency} for agency in sorted(listed)]
