"""The command that makes a projection anew: `python -m sync_service rebuild national_view`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final, Literal

import typer

from shared.database.engine import open_database
from shared.database.errors import retry_during_outage
from shared.database.session import SessionFactory
from shared.events import DossierEvent
from shared.runtime.event_keys import make_event_verifier
from shared.runtime.invocation import run_async
from shared.runtime.retained_log import BrokerLog, LogBatch, LogReplacedError, RetainedLog
from shared.web.http_client import open_client
from sync_service.handlers import rebuild_dossiers, restore_dossiers
from sync_service.indicators.counters import Cell
from sync_service.indicators.use_cases import compute_corrections, correct_counters
from sync_service.national_view import use_cases
from sync_service.national_view.repository.rebuilds import RebuildInterfered, RebuildProgress
from sync_service.settings import Settings

Projection = Literal["national_view"]
Report = Callable[[str], None]

BATCH_DOSSIERS = 500
EVENTS: Final = "events"
DOSSIERS: Final = "dossiers"
COUNTERS: Final = "counters"
# The member of the position in the first stage. Earlier releases stored bare offsets: a rebuild
# that they began reads the whole log again.
BOOKMARKS: Final = "bookmarks"


def rebuild_projection(
    context: typer.Context,
    projection: Annotated[Projection, typer.Argument(help="the projection to make anew")],
) -> None:
    """Make a projection anew from the events that the broker retains.

    The events of our own dossiers are applied again, as far back as the broker keeps them (7 days);
    then the ends, requests for papers, terms, parties and counters of all dossiers are derived
    again. No log keeps the rows that other systems pushed, nor events older than the retention:
    their dossiers and timeline rows are kept as they are, and only their derived values are made
    anew. The worker and the service may run meanwhile. An interrupted rebuild continues where it
    ended when the command is given again; where the broker was replaced or refilled meanwhile, it
    reads the whole log again.
    """
    settings: Settings = context.obj.settings

    async def rebuild() -> None:
        topics = [DossierEvent.topic]
        async with (
            open_database(settings, reads_every_row=True) as sessions,
            open_client() as http,
        ):
            verifier = make_event_verifier(settings, http, topics)
            log = BrokerLog(settings, topics, verifier)
            await Rebuild(sessions, projection, typer.echo).run(log)

    try:
        run_async(rebuild)
    except RebuildInterfered:
        typer.echo(f"another process rebuilds {projection}: this one ends", err=True)
        raise typer.Exit(1) from None


class Rebuild:
    """One run of a rebuild: three stages in order, each batch in a transaction with its progress.

    A batch is made anew under the locks of its dossiers, as the worker and the pushes change them,
    so that the three may run at the same time. Each transaction is repeated during an outage of the
    database; no batch takes effect twice, because it also advances the version of the progress.
    Where only the answer to a commit was lost, the repetition therefore raises RebuildInterfered,
    and the rebuild continues when the command is given again.
    """

    def __init__(self, sessions: SessionFactory, projection: Projection, report: Report) -> None:
        self._sessions = sessions
        self._projection = projection
        self._report = report

    async def run(self, log: RetainedLog) -> None:
        """Rebuild from the stored progress to the end; raise RebuildInterfered beside another."""
        progress = await self._begin()
        if progress.stage != EVENTS or progress.position:
            self._report(f"continues a rebuild in its stage {progress.stage}")
        if progress.stage == EVENTS:
            progress = await self._apply_present_log(log, progress)
        if progress.stage == DOSSIERS:
            progress = await self._restore_all(progress)
        await self._correct(progress)
        self._report(f"{self._projection} is rebuilt")

    @retry_during_outage
    async def _begin(self) -> RebuildProgress:
        async with self._sessions.begin() as session:
            return await use_cases.begin_rebuild(session, self._projection, EVENTS)

    async def _apply_present_log(
        self, log: RetainedLog, progress: RebuildProgress
    ) -> RebuildProgress:
        """Apply the log from the stored progress, or from its oldest event where it is another.

        The offsets of another log say nothing: events would be skipped. To apply an event again
        changes nothing.
        """
        try:
            return await self._apply_log(log, progress)
        except LogReplacedError:
            self._report(
                "the broker was replaced or refilled since the interruption: begins at the oldest"
                " event"
            )
            return await self._apply_log(log, await self._advance(progress, EVENTS))

    async def _apply_log(self, log: RetainedLog, progress: RebuildProgress) -> RebuildProgress:
        applied, refused = 0, 0
        async for batch in log.read_batches(progress.position.get(BOOKMARKS, {})):
            progress, invalid = await self._apply_batch(batch, progress)
            applied, refused = applied + len(batch.events) - invalid, refused + invalid
            refused += batch.skipped
            self._report(
                f"events: {applied:,} applied, {refused:,} refused, {batch.remaining:,} left"
            )
        return await self._advance(progress, DOSSIERS)

    @retry_during_outage
    async def _apply_batch(
        self, batch: LogBatch, progress: RebuildProgress
    ) -> tuple[RebuildProgress, int]:
        """Return the progress, and the number of events that no dossier can take."""
        events = [event for event in batch.events if isinstance(event, DossierEvent)]
        async with self._sessions.begin() as session:
            invalid = await rebuild_dossiers(session, events) if events else 0
            advanced = await use_cases.advance_rebuild(
                session, progress, EVENTS, {BOOKMARKS: batch.bookmarks}
            )
        return advanced, invalid

    async def _restore_all(self, progress: RebuildProgress) -> RebuildProgress:
        count = 0
        while True:
            progress, codes = await self._restore_batch(progress)
            if not codes:
                break
            count += len(codes)
            self._report(f"dossiers: {count:,} restored, up to {codes[-1]}")
        await self._delete_orphaned_parties()
        return await self._advance(progress, COUNTERS)

    @retry_during_outage
    async def _restore_batch(
        self, progress: RebuildProgress
    ) -> tuple[RebuildProgress, Sequence[str]]:
        """Return the progress, and the codes of the batch; none after the last one."""
        after = progress.position.get("after", "")
        async with self._sessions.begin() as session:
            codes = await restore_dossiers(session, after, BATCH_DOSSIERS)
            if codes:
                progress = await use_cases.advance_rebuild(
                    session, progress, DOSSIERS, {"after": codes[-1]}
                )
        return progress, codes

    @retry_during_outage
    async def _delete_orphaned_parties(self) -> None:
        async with self._sessions.begin() as session:
            await use_cases.delete_orphaned_parties(session)

    async def _correct(self, progress: RebuildProgress) -> None:
        corrections = await self._find_corrections()
        await self._end(progress, corrections)
        self._report(f"counters: {len(corrections):,} corrected")

    @retry_during_outage
    async def _find_corrections(self) -> Mapping[Cell, int]:
        async with self._sessions() as session:
            return await compute_corrections(session)

    @retry_during_outage
    async def _end(self, progress: RebuildProgress, corrections: Mapping[Cell, int]) -> None:
        async with self._sessions.begin() as session:
            # First: a second process must not add the same corrections.
            await use_cases.end_rebuild(session, progress)
            await correct_counters(session, corrections)

    @retry_during_outage
    async def _advance(self, progress: RebuildProgress, stage: str) -> RebuildProgress:
        async with self._sessions.begin() as session:
            return await use_cases.advance_rebuild(session, progress, stage, {})
