from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from operator import attrgetter

from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.agency import canonical_agency_code
from shared.codes.dossier import DossierCode
from shared.codes.enums import Channel, DossierStatus
from shared.codes.time import StoredInstant, day_in_viet_nam
from shared.database.session import Session
from shared.web.bodies.strict_parsing import Router
from shared.web.calls.auth import Caller
from shared.web.dependencies import Now
from shared.web.idempotency import OnceOnly
from shared.web.pagination import Page, Paging
from sync_service.agencies.schemas import AgencyOut
from sync_service.indicators.counters import is_overdue
from sync_service.intake import use_cases
from sync_service.intake.lanes import InLane
from sync_service.intake.schemas import DossierPush, ProgressPush, PushResults
from sync_service.national_view.filters import Wanted
from sync_service.national_view.models import NationalDossier, TimelineEntry
from sync_service.national_view.problems import DossierNotFound
from sync_service.national_view.repository import listings as store
from sync_service.national_view.schemas import NationalDossierOut, Timeline, TimelineEntryOut

router = Router(prefix="/sync/v1", tags=["national view"])


@router.post("/dossiers", dependencies=[InLane])
async def push_dossiers(
    body: DossierPush, session: Session, caller: Caller, once: OnceOnly, now: Now
) -> PushResults:
    """Up to 1,000 dossiers as they now stand in the caller's system; a result for each row."""
    return await use_cases.push_dossiers(session, caller, once, body.rows, now)


@router.post("/progress", dependencies=[InLane])
async def push_progress(
    body: ProgressPush, session: Session, caller: Caller, once: OnceOnly, now: Now
) -> PushResults:
    """What happened to dossiers since; held while the dossier itself is not yet known."""
    return await use_cases.push_progress(session, caller, once, body.rows, now)


@router.get("/dossiers")
async def list_dossiers(
    session: Session, caller: Caller, wanted: Wanted, now: Now
) -> Page[NationalDossierOut]:
    """Newest first by reception (by filing while not yet received)."""
    paging, today = wanted.paging, day_in_viet_nam(now)
    rows = await store.listed(
        session,
        caller.right,
        wanted,
        today=today,
        after=paging.key(StoredInstant, DossierCode),
        limit=paging.limit + 1,
    )
    page, following = paging.cut(list(rows), lambda row: (row.opened_at, row.code))
    return Page(items=await _shown(session, page, today), next=following)


@router.get("/dossiers/{code}")
async def read_dossier(
    code: DossierCode, session: Session, caller: Caller, now: Now
) -> NationalDossierOut:
    if (found := await store.dossier(session, caller.right, code)) is None:
        raise DossierNotFound
    return (await _shown(session, [found], day_in_viet_nam(now)))[0]


@router.get("/dossiers/{code}/timeline")
async def read_timeline(
    code: DossierCode, session: Session, caller: Caller, paging: Paging
) -> Timeline:
    """Return what happened to the dossier, page by page, oldest first."""
    if await store.dossier(session, caller.right, code) is None:
        raise DossierNotFound
    after = paging.key(*store.TIMELINE_KEY)
    lines = await store.list_timeline(session, code, after=after, limit=paging.limit + 1)
    page, following = paging.cut(list(lines), attrgetter(*store.TIMELINE_ORDER))
    return Timeline(code=code, entries=[_entry(entry) for entry in page], next=following)


def _entry(entry: TimelineEntry) -> TimelineEntryOut:
    status = DossierStatus(entry.status)
    return TimelineEntryOut(
        at=entry.at,
        kind=entry.kind,
        status=status,
        status_name=status.label,
        detail=entry.detail or None,
        source=entry.source,
    )


async def _shown(
    session: AsyncSession, rows: Sequence[NationalDossier], today: date
) -> list[NationalDossierOut]:
    names = await _names(session, rows)
    return [_out(row, names, today) for row in rows]


def _out(row: NationalDossier, names: Mapping[str, str | None], today: date) -> NationalDossierOut:
    channel, status = Channel(row.channel), DossierStatus(row.status)

    def agency(code: str) -> AgencyOut:
        return AgencyOut(code=code, name=names.get(canonical_agency_code(code)))

    return NationalDossierOut(
        code=row.code,
        source=row.source,
        version=row.version,
        source_time=row.source_time,
        procedure=row.procedure,
        channel=channel,
        channel_name=channel.label,
        status=status,
        status_name=status.label,
        helped_by=agency(row.helped_by) if row.helped_by else None,
        received_by=agency(row.received_by),
        decided_by=agency(row.decided_by),
        filed_at=row.filed_at,
        received_at=row.received_at,
        due_at=row.due_at,
        finished_at=row.finished_at,
        ended_at=row.ended_at,
        overdue=is_overdue(row, today),
    )


async def _names(session: AsyncSession, rows: Iterable[NationalDossier]) -> dict[str, str | None]:
    codes = {
        canonical_agency_code(code)
        for row in rows
        for code in (row.helped_by, row.received_by, row.decided_by)
        if code
    }
    return {code: each.name for code, each in (await store.agencies(session, codes)).items()}
