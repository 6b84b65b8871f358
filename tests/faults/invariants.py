"""What must hold after any fault: each function complains of what does not."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from shared.events import DEAD, DossierEvent
from tests.faults.evidence import Evidence, gather, handled_types, read_axis, settled
from tests.faults.journal import Journal
from tests.support.mesh import Mesh

SETTLES_WITHIN = 120.0
OWN = "/dossier_service"
DOSSIERS = "dossier_service"
TO_COME_AGAIN = {429, 503}


async def complaints(mesh: Mesh, journal: Journal) -> list[str]:
    """Empty where all of it holds."""
    waiting = await settled(mesh, SETTLES_WITHIN)
    late = [f"not at rest after {SETTLES_WITHIN:.0f} s: {each}" for each in waiting]
    found, verified, recounted = await asyncio.gather(
        gather(mesh),
        asyncio.to_thread(command_complaints, mesh, "gateway", "gateway", "verify-ledger"),
        asyncio.to_thread(
            command_complaints, mesh, "sync_service", "sync_service", "verify-counters"
        ),
    )
    return [*late, *data_complaints(found, journal), *verified, *recounted]


def data_complaints(found: Evidence, journal: Journal) -> list[str]:
    told = [each for invariant in INVARIANTS for each in invariant(found, journal)]
    return [*(f"surprise: {each}" for each in journal.surprises), *told]


def command_complaints(mesh: Mesh, service: str, module: str, *words: str) -> list[str]:
    """Return the output of a check that failed; everybody can call it."""
    done = mesh.run_as(service, module, *words)
    return (
        [f"{' '.join((module, *words))}: {done.stdout[-2_000:]}{done.stderr[-2_000:]}"]
        if done.returncode
        else []
    )


async def axis_complaints(mesh: Mesh) -> list[str]:
    """What the broker holds beside what was sent."""
    if waiting := await settled(mesh, SETTLES_WITHIN):
        return waiting
    found = await gather(mesh)
    return list(axis_is_whole(found, await read_axis(mesh.servers), mesh.axis_began))


def _filings_took_effect_once(found: Evidence, journal: Journal) -> Iterator[str]:
    by_key = Counter(row["external_code"] for row in found.dossiers.values())
    for key, dossier in journal.filed.items():
        if dossier.code not in found.dossiers:
            yield f"filing {key} was acknowledged as {dossier.code}, which is not there"
    for key in {*journal.filed, *journal.doubtful_filings}:
        if by_key[key] > 1:
            yield f"filing {key} made {by_key[key]} dossiers"


def _acknowledged_changes_stand(found: Evidence, journal: Journal) -> Iterator[str]:
    for told in journal.dossiers:
        row = found.dossiers.get(told.code)
        if row is None:
            continue
        as_told = (row["version"], row["status"]) == (told.version, told.status)
        one_more = told.doubtful and row["version"] == told.version + 1
        if not as_told and not one_more:
            yield (
                f"{told.code}: acknowledged version {told.version} in status {told.status}, "
                f"kept {row['version']} in {row['status']}"
            )


def _payments_count_once(found: Evidence, journal: Journal) -> Iterator[str]:
    for told in journal.dossiers:
        paid = [row["reference"] for row in found.fees.get(told.code, ()) if row["paid"]]
        if told.reference and paid != [told.reference]:
            yield f"{told.code}: payment {told.reference} was acknowledged, kept {paid}"


def _each_version_has_its_step_and_event(found: Evidence, _: Journal) -> Iterator[str]:
    events: Mapping[str, list[int | None]] = defaultdict(list)
    for message in found.sent[DOSSIERS]:
        if message.topic == DossierEvent.topic:
            events[message.key].append(message.version)
    for code, row in found.dossiers.items():
        versions = list(range(1, row["version"] + 1))
        steps = [step["version"] for step in found.steps.get(code, ())]
        if steps != versions:
            yield f"{code}: version {row['version']}, but steps {steps}"
        if events[code] != versions:
            yield f"{code}: version {row['version']}, but events {events[code]} in their order"


def _the_country_sees_the_same(found: Evidence, _: Journal) -> Iterator[str]:
    for code, row in found.dossiers.items():
        seen = found.national.get(code)
        if seen is None:
            yield f"{code} is not in the national view"
            continue
        if (seen["version"], seen["status"]) != (row["version"], row["status"]):
            yield (
                f"{code}: version {row['version']} in status {row['status']}, the country sees "
                f"{seen['version']} in {seen['status']}"
            )
        steps = [step["to_status"] for step in found.steps.get(code, ())]
        line = [entry["status"] for entry in found.timeline.get(code, ())]
        if line != steps:
            yield f"{code}: went through {steps}, the timeline has {line}"
    for code, seen in found.national.items():
        if seen["source"] == OWN and code not in found.dossiers:
            yield f"{code} is in the national view and nowhere else"


def _pushed_rows_stand(found: Evidence, journal: Journal) -> Iterator[str]:
    for told in journal.pushed.values():
        seen = found.national.get(told.code)
        if seen is None:
            yield f"{told.code} was taken from another system and is not there"
        elif seen["source_version"] < told.version or (
            not told.doubtful
            and (seen["source_version"], seen["status"]) != (told.version, told.status)
        ):
            yield (
                f"{told.code}: taken as version {told.version} in status {told.status}, "
                f"kept as {seen['source_version']} in {seen['status']}"
            )


def _events_are_handled_once_and_none_is_dead(found: Evidence, _: Journal) -> Iterator[str]:
    for service, heard in found.heard.items():
        told = [
            message.id
            for messages in found.sent.values()
            for message in messages
            if message.type in handled_types(service)
        ]
        if lacks := len(set(told) - set(heard)):
            yield f"{service}: {lacks} events not handled"
        if doubled := len(told) - len(set(told)):
            yield f"{service}: {doubled} events stand in an outbox twice"
        if strangers := len(set(heard) - set(told)):
            yield f"{service}: {strangers} handled events that nobody sent"
    for service, number in found.dead.items():
        if number:
            yield f"{service}: {number} dead letters"


def _each_access_is_on_record_once(found: Evidence, journal: Journal) -> Iterator[str]:
    for attempt in journal.attempts:
        if not attempt.personal:
            continue
        on_record = found.records.get(attempt.request_id, [])
        if len(on_record) > 1:
            yield f"{attempt.kind} {attempt.request_id}: {len(on_record)} records"
        elif attempt.good and on_record != [attempt.status]:
            yield f"{attempt.kind}, answered {attempt.status}: on record as {on_record}"


def _answers_say_when_to_come_again(_: Evidence, journal: Journal) -> Iterator[str]:
    mute = Counter(
        (attempt.kind, attempt.status)
        for attempt in journal.attempts
        if attempt.status in TO_COME_AGAIN and not attempt.retry_after
    )
    for (kind, status), number in mute.items():
        yield f"{kind}: {number} answers {status} without Retry-After"


def axis_is_whole(
    found: Evidence, axis: Mapping[str, Sequence[bytes]], began: datetime | None
) -> Iterator[str]:
    """Each event is there, and the versions of a dossier came in order.

    The broker lost what it held before `began`: order is not promised for what a replay brings
    back beside new events.
    """
    at = {
        event_id.decode(): place
        for ids in axis.values()
        for place, event_id in reversed(list(enumerate(ids)))
    }
    last: dict[str, int] = {}
    for service, messages in found.sent.items():
        if lacks := sum(str(message.id) not in at for message in messages):
            yield f"the axis lacks {lacks} events of {service}"
        for message in messages:
            place = at.get(str(message.id), -1)
            if message.topic == DossierEvent.topic and place < last.get(message.key, -1):
                yield f"{message.key}: version {message.version} stands too early on the axis"
            if began is None or message.sent_at > began:
                last[message.key] = place
    for topic, ids in axis.items():
        if topic.endswith(DEAD) and ids:
            yield f"{topic} holds {len(ids)} messages"


Invariant = Callable[[Evidence, Journal], Iterable[str]]
INVARIANTS: tuple[Invariant, ...] = (
    _filings_took_effect_once,
    _acknowledged_changes_stand,
    _payments_count_once,
    _each_version_has_its_step_and_event,
    _the_country_sees_the_same,
    _pushed_rows_stand,
    _events_are_handled_once_and_none_is_dead,
    _each_access_is_on_record_once,
    _answers_say_when_to_come_again,
)
