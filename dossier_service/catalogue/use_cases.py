"""Publish procedures, import files of them, and look them up."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.catalogue import repository
from dossier_service.catalogue.cache import ProcedureCache
from dossier_service.catalogue.models import CatalogueImport, CurrentProcedure
from dossier_service.catalogue.portal_import.merging import MergedProcedure, merge_procedures
from dossier_service.catalogue.portal_import.reader import Readable, Unreadable, read_published_file
from dossier_service.catalogue.portal_import.report import ImportReport, make_import_report
from dossier_service.catalogue.problems import ProcedureNotFound
from dossier_service.catalogue.procedure import Procedure, PublishedProcedure
from dossier_service.catalogue.schemas import ProcedureFilter
from dossier_service.catalogue.search_words import read_alternatives, read_code_prefix
from shared.codes.persons.folding import fold_accented, fold_bare
from shared.codes.procedure import ProcedureCode
from shared.events import ProcedurePublished
from shared.messaging.outbox import publish_events
from shared.web.pagination import PageParameters

# The record of the first announcement in this shape, beside those of imports.
ANNOUNCED: Final = hashlib.sha256(
    " ".join([ProcedurePublished.event_type, *sorted(ProcedurePublished.model_fields)]).encode()
).digest()


class ImportOutcome(BaseModel):
    """Counts the new, changed and unchanged procedures of an import.

    Each new or changed one became a version. `own` lists the codes that an own entry states too.
    `added` and `overruled` name the published parts that each of these own entries took over, and
    those that it states otherwise.
    """

    new: int
    changed: int
    unchanged: int
    own: list[str] = []
    added: dict[str, list[str]] = {}
    overruled: dict[str, list[str]] = {}
    report: ImportReport | None = None

    def __str__(self) -> str:
        counts = f"{self.new} new, {self.changed} changed, {self.unchanged} unchanged"
        lines = [str(self.report)] if self.report else []
        for code in self.own:
            added = ", ".join(self.added.get(code, [])) or "nothing"
            overruled = ", ".join(self.overruled.get(code, [])) or "nothing"
            lines.append(f"own entry {code}: added {added}; overruled {overruled}")
        return "\n".join([*lines, counts])


@dataclass(frozen=True)
class PublishedFile:
    """A file in the form of the national portal, with its entries and its digest."""

    name: str
    digest: bytes
    entries: tuple[Readable | Unreadable, ...]

    @property
    def procedures(self) -> dict[str, Procedure]:
        readable = (entry for entry in self.entries if isinstance(entry, Readable))
        return {entry.procedure.code: entry.procedure for entry in readable}


async def publish_procedures(
    session: AsyncSession, procedures: Iterable[Procedure], *, now: datetime
) -> ImportOutcome:
    """Store each procedure as a new version unless its content is in force already.

    A code occurs once among them. Each new version is announced with the transaction.
    """
    await repository.lock_catalogue(session)
    held = await repository.read_current_digests(session)
    versions: list[dict[str, Any]] = []
    current: list[dict[str, Any]] = []
    published: list[PublishedProcedure] = []
    unchanged = 0
    for procedure in procedures:
        version, digest = held.get(procedure.code, (0, b""))
        if digest == (new_digest := compute_digest(procedure)):
            unchanged += 1
            continue
        identity = {"code": procedure.code, "version": version + 1, "digest": new_digest}
        content = procedure.model_dump(mode="json")
        versions.append(identity | {"valid_from": now, "content": content})
        current.append(identity | _make_search_columns(procedure))
        published.append(PublishedProcedure(version + 1, now, procedure))
    await repository.add_versions(session, versions, current)
    new = sum(row["version"] == 1 for row in versions)
    publish_events(
        session, *(make_published_event(procedure, len(held) + new) for procedure in published)
    )
    return ImportOutcome(new=new, changed=len(versions) - new, unchanged=unchanged)


async def announce_all_procedures(session: AsyncSession) -> int:
    """Announce each procedure in force once more, for readers that lack them; return how many."""
    await repository.lock_catalogue(session)
    current = await repository.list_current_versions(session)
    publish_events(
        session, *(make_published_event(procedure, len(current)) for procedure in current)
    )
    return len(current)


async def announce_procedures_once(session: AsyncSession, *, now: datetime) -> int:
    """Announce again the procedures that were published before events had their present shape."""
    if await repository.was_imported(session, ANNOUNCED):
        return 0
    count = await announce_all_procedures(session)
    outcome = ImportOutcome(new=0, changed=0, unchanged=count)
    _add_import_record(session, "announcement", ANNOUNCED, outcome, now=now)
    return count


def make_published_event(published: PublishedProcedure, catalogue_size: int) -> ProcedurePublished:
    procedure = published.procedure
    term = procedure.find_longest_term()
    return ProcedurePublished(
        code=procedure.code,
        version=published.version,
        at=published.valid_from.astimezone(UTC),
        active=True,
        owner=procedure.owner,
        levels=[level.value for level in procedure.levels],
        term_duration=term.duration if term else None,
        term_unit=term.unit.value if term else None,
        term_same_day=term is not None and term.same_day,
        catalogue_size=catalogue_size,
    )


def read_catalogue_file(path: Path) -> PublishedFile:
    """Read a whole file of published procedures; raise PublishedFileTooLargeError."""
    entries = tuple(read_published_file(path))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    return PublishedFile(path.name, digest, entries)


async def import_catalogue_file(
    session: AsyncSession,
    file: PublishedFile,
    own_procedures: Mapping[str, Procedure],
    *,
    now: datetime,
) -> ImportOutcome:
    """Publish the procedures of a file, each with the own entry of its code; keep the report."""
    merged = _merge_own_entries(file, own_procedures)
    procedures = dict(file.procedures) | {code: entry.procedure for code, entry in merged.items()}
    outcome = await publish_procedures(session, procedures.values(), now=now)
    _report_merged_entries(outcome, merged)
    outcome.report = make_import_report(file.entries)
    _add_import_record(session, file.name, file.digest, outcome, now=now)
    return outcome


async def publish_first_procedures(
    session: AsyncSession,
    own_procedures: Mapping[str, Procedure],
    published: PublishedFile | None,
    *,
    now: datetime,
) -> ImportOutcome | None:
    """Publish the first procedures of a new service; return None if they were published before.

    Where both sources hold a procedure, the own entry wins for each part that it states, because
    people have read it: it has the case in which a fee is due, the same-day rule and the papers
    that the state already holds. The published parts that it lacks are added.
    """
    digests = [published.digest] if published else []
    digests += [compute_digest(procedure) for procedure in own_procedures.values()]
    begun = hashlib.sha256(b"".join(digests)).digest()
    if await repository.was_imported(session, begun):
        return None
    merged = _merge_own_entries(published, own_procedures) if published else {}
    procedures = dict(published.procedures if published else {}) | dict(own_procedures)
    procedures |= {code: entry.procedure for code, entry in merged.items()}
    outcome = await publish_procedures(session, procedures.values(), now=now)
    _report_merged_entries(outcome, merged)
    outcome.report = make_import_report(published.entries) if published else None
    _add_import_record(session, "seed", begun, outcome, now=now)
    return outcome


def _merge_own_entries(
    file: PublishedFile, own_procedures: Mapping[str, Procedure]
) -> dict[str, MergedProcedure]:
    published = file.procedures
    return {
        code: merge_procedures(own_procedures[code], published[code])
        for code in sorted(published.keys() & own_procedures.keys())
    }


def _report_merged_entries(outcome: ImportOutcome, merged: Mapping[str, MergedProcedure]) -> None:
    outcome.own = list(merged)
    outcome.added = {code: list(entry.added) for code, entry in merged.items() if entry.added}
    outcome.overruled = {
        code: list(entry.overrules) for code, entry in merged.items() if entry.overrules
    }


def _add_import_record(
    session: AsyncSession, source: str, digest: bytes, outcome: ImportOutcome, *, now: datetime
) -> None:
    session.add(
        CatalogueImport(
            at=now, source=source, digest=digest, outcome=outcome.model_dump(mode="json")
        )
    )


async def read_published_procedure(
    session: AsyncSession, procedures: ProcedureCache, code: str, version: int | None
) -> PublishedProcedure:
    published = (
        await procedures.find_current(session, code)
        if version is None
        else await procedures.find_version(session, code, version)
    )
    if published is None:
        raise ProcedureNotFound(code=code)
    return published


async def list_versions(
    session: AsyncSession, versions: Iterable[tuple[str, int]]
) -> Mapping[tuple[str, int], Procedure]:
    """Return the procedures of these versions, each under its code and version."""
    return await repository.list_versions(session, versions)


async def search_procedures(
    session: AsyncSession, filters: ProcedureFilter, page: PageParameters
) -> tuple[list[CurrentProcedure], str | None]:
    """Return a page by code: names with the words of `q`, or codes that begin with it.

    A sector is found however it is written.
    """
    keyset = filters.read_keyset(page)
    after = keyset.key(ProcedureCode)
    q, sector = filters.q, filters.sector
    prefix = read_code_prefix(q) if q else None
    rows = await repository.list_procedures(
        session,
        code_prefix=prefix,
        alternatives=read_alternatives(q) if q and prefix is None else None,
        owner=filters.owner,
        level=filters.level,
        sectors=None if sector is None else await _list_same_sectors(session, sector),
        essential=filters.essential,
        after=after[0] if after else None,
        limit=keyset.limit + 1,
    )
    return keyset.cut(rows, lambda row: (row.code,))


async def _list_same_sectors(session: AsyncSession, sector: str) -> list[str]:
    key = fold_accented(sector)
    return [name for name in await repository.list_sectors(session) if fold_accented(name) == key]


def compute_digest(procedure: Procedure) -> bytes:
    return hashlib.sha256(procedure.model_dump_json().encode()).digest()


def _make_search_columns(procedure: Procedure) -> dict[str, Any]:
    return {
        "name": procedure.name,
        "plain_name": fold_bare(procedure.name),
        "owner": procedure.owner,
        "levels": list(procedure.levels),
        "sector": procedure.sector,
        "essential": procedure.essential,
    }
