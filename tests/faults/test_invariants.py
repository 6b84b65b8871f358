"""The checker complains of each kind of damage: what it calls whole is whole."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count

import pytest

from tests.faults.evidence import gather, read_axis, settled
from tests.faults.invariants import (
    axis_complaints,
    axis_is_whole,
    command_complaints,
    complaints,
    data_complaints,
)
from tests.faults.journal import Journal
from tests.faults.load import Load
from tests.faults.workload import Desk
from tests.support.mesh import Mesh
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PER_SECOND, ENOUGH = 15.0, 25


@pytest.fixture(scope="module")
async def journal(mesh: Mesh) -> Journal:
    """Of a load that nothing disturbed."""
    journal = Journal()
    load = Load(mesh, journal, "an undisturbed load", PER_SECOND)
    async with load.running(Desk(count(1)).play):
        await eventually(lambda: _has_enough(journal))
    return journal


def _has_enough(journal: Journal) -> bool:
    paid = [each for each in journal.dossiers if each.reference]
    return len(journal.filed) > ENOUGH and len(journal.pushed) > 1 and len(paid) > 1


async def test_nothing_is_wrong_where_nothing_happened(mesh: Mesh, journal: Journal) -> None:
    assert await complaints(mesh, journal) == []
    assert await axis_complaints(mesh) == []


@dataclass(frozen=True)
class Damage:
    """`statement` does it to the rows of `table` where `where`; `complaint` must be heard."""

    service: str
    table: str
    where: str
    statement: str
    complaint: str


def _gone(service: str, table: str, where: str, complaint: str) -> Damage:
    return Damage(service, table, where, "DELETE FROM {table} WHERE {where}", complaint)


def _set(service: str, table: str, where: str, change: str, complaint: str) -> Damage:
    return Damage(
        service, table, where, f"UPDATE {{table}} SET {change} WHERE {{where}}", complaint
    )


def _twice(service: str, table: str, where: str, change: str, complaint: str) -> Damage:
    copied = (
        "INSERT INTO {table} SELECT (jsonb_populate_record(row, jsonb_build_object("
        f"{change}))).* FROM {{table}} AS row WHERE {{where}}"
    )
    return Damage(service, table, where, copied, complaint)


NOBODYS = "00000000-0000-4000-8000-000000000001"
_FILED = "headers ->> 'ce_type' = 'dossier.filed.v1'"
DAMAGES = {
    "dossier lost": _gone("dossier_service", "dossier", "code = '{code}'", "which is not there"),
    "dossier changed back": _set(
        "dossier_service", "dossier", "code = '{code}'", "status = 3", "acknowledged version"
    ),
    "filing took effect twice": _twice(
        "dossier_service",
        "dossier",
        "external_code = '{key}'",
        "'code', 'H26.999-261122-0001'",
        "made 2 dossiers",
    ),
    "payment lost": _set(
        "dossier_service", "dossier_fee", "dossier = '{paid}'", "paid_at = NULL", "payment PAY-"
    ),
    "step lost": _gone(
        "dossier_service", "dossier_step", "dossier = '{code}' AND version = 1", "but steps"
    ),
    "event lost": _gone(
        "dossier_service", "outbox_sent", "key = '{code}' AND " + _FILED, "but events"
    ),
    "event told twice": _twice(
        "dossier_service",
        "outbox_sent",
        "key = '{code}' AND " + _FILED,
        "'position', position + 1000000",
        "1 events stand in an outbox twice",
    ),
    "national view lost": _gone(
        "sync_service", "national_dossier", "code = '{code}'", "is not in the national view"
    ),
    "national view stale": _set(
        "sync_service",
        "national_dossier",
        "code = '{code}'",
        "version = version - 1",
        "the country sees",
    ),
    "timeline with a gap": _gone(
        "sync_service", "dossier_event", "code = '{code}' AND kind = 'filed'", "the timeline has"
    ),
    "pushed row lost": _gone(
        "sync_service", "national_dossier", "code = '{pushed}'", "was taken from another system"
    ),
    "pushed row changed back": _set(
        "sync_service", "national_dossier", "code = '{pushed}'", "status = 1", "taken as version"
    ),
    "dossier in the national view that nobody filed": _twice(
        "sync_service",
        "national_dossier",
        "code IN ('{code}', 'H26.999-261122-0001')",
        "'code', 'H26.999-261122-0001'",
        "is in the national view and nowhere else",
    ),
    "event handled that nobody sent": _twice(
        "sync_service",
        "handled_event",
        f"id IN ('{{handled}}', '{NOBODYS}')",
        f"'id', '{NOBODYS}'",
        "sync_service: 1 handled events that nobody sent",
    ),
    "inbox with a gap": _gone(
        "sync_service",
        "handled_event",
        "id = '{handled}'",
        "sync_service: 1 events not handled",
    ),
    "access unrecorded": _gone("gateway", "access_record", "dossier = '{code}'", "on record as []"),
    "access recorded twice": _twice(
        "gateway", "access_record", "dossier = '{code}'", "'index', index + 1000", "2 records"
    ),
}
JUDGED_BY_COMMANDS = {
    "counter wrong": (
        ("sync_service", "verify-counters"),
        _set("sync_service", "tally", "agency = 'H41'", "count = count + 1", "DIFFER"),
    ),
    "seal forged": (
        ("gateway", "verify-ledger"),
        _set("gateway", "ledger_seal", "number = 1", "signature = '\\x00'", "DAMAGED"),
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
async def test_damage_in_a_database_is_told(mesh: Mesh, journal: Journal, name: str) -> None:
    damage = DAMAGES[name]
    assert not await settled(mesh, 30)
    async with _done(mesh, journal, damage):
        told = data_complaints(await gather(mesh), journal)
    assert any(damage.complaint in each for each in told), told
    assert data_complaints(await gather(mesh), journal) == []


@pytest.mark.parametrize("name", JUDGED_BY_COMMANDS)
async def test_damage_is_told_by_a_command(mesh: Mesh, journal: Journal, name: str) -> None:
    command, damage = JUDGED_BY_COMMANDS[name]
    async with _done(mesh, journal, damage):
        told = await asyncio.to_thread(command_complaints, mesh, damage.service, *command)
    assert damage.complaint in "".join(told)


async def test_dead_letter_is_told(mesh: Mesh, journal: Journal) -> None:
    found = await gather(mesh)
    damaged = replace(found, dead=dict(found.dead) | {"sync_service": 1})
    assert "sync_service: 1 dead letters" in data_complaints(damaged, journal)


async def test_axis_that_lost_reordered_or_set_aside_is_told(mesh: Mesh, journal: Journal) -> None:
    found, axis = await gather(mesh), await read_axis(mesh.servers)
    topic = "dossier.events.v1"
    lost = dict(axis) | {topic: axis[topic][:-1]}
    assert any("lacks 1 events" in each for each in axis_is_whole(found, lost, None))
    reordered = dict(axis) | {topic: axis[topic][::-1]}
    assert any("too early" in each for each in axis_is_whole(found, reordered, None))
    aside = dict(axis) | {topic + ".dead": [b"one"]}
    assert f"{topic}.dead holds 1 messages" in list(axis_is_whole(found, aside, None))


async def test_answer_that_no_fault_explains_is_told(mesh: Mesh, journal: Journal) -> None:
    surprised = replace(journal, surprises=["file: POST: 500"])
    assert "surprise: file: POST: 500" in data_complaints(await gather(mesh), surprised)


async def test_busy_answer_without_advice_is_told(mesh: Mesh, journal: Journal) -> None:
    mute = replace(journal.attempts[0], status=503, personal=False, retry_after=False)
    told = data_complaints(await gather(mesh), replace(journal, attempts=[mute]))
    assert any("without Retry-After" in each for each in told)


@asynccontextmanager
async def _done(mesh: Mesh, journal: Journal, damage: Damage) -> AsyncIterator[None]:
    """The rows are as they were when the block ends."""
    key, dossier = next((key, each) for key, each in journal.filed.items() if each.version > 1)
    names = {
        "key": key,
        "code": dossier.code,
        "paid": next(each.code for each in journal.dossiers if each.reference),
        "pushed": next(iter(journal.pushed)),
    }
    async with mesh.database(damage.service) as database:
        names["handled"] = await database.fetchval("SELECT id FROM handled_event LIMIT 1")
        where = damage.where.format(**names)
        # Neither triggers nor foreign keys stand in the way, as they would not for a broken disk.
        await database.execute("SET session_replication_role = replica")
        await database.execute(
            f"CREATE TEMP TABLE kept AS SELECT * FROM {damage.table} WHERE {where}"
        )
        assert await database.fetchval("SELECT count(*) FROM kept")
        await database.execute(damage.statement.format(table=damage.table, where=where))
        try:
            yield
        finally:
            await database.execute(f"DELETE FROM {damage.table} WHERE {where}")
            await database.execute(f"INSERT INTO {damage.table} SELECT * FROM kept")
