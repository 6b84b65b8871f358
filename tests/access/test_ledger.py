"""The access ledger shows what a right covers; all else is not in it, but for nameless seals."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from httpx import Response
from hypothesis import example, given

from tests.access.answers import told
from tests.access.model import AGENCIES, PROCEDURES, Limits, limits, some, tried
from tests.conftest import Databases
from tests.support.fake_upstream import SUBJECT
from tests.support.gateway_harness import (
    LEDGER,
    LIST,
    VERIFY,
    Gate,
    make_grant,
    open_gate,
    open_services,
)

RECORDS, SEALS = "/ledger/v1/records", "/ledger/v1/seals"
MEMBERS = ("client", "agency", "operation", "purpose", "subjects", "outcome", "dossier")
PLACE = {"id", "at", "chain", "seal", "index"}
DOSSIER = "H26-261102-0001"
FILTERS: Sequence[tuple[str, Any]] = (
    *(("agency", code) for code in AGENCIES),
    ("client", "client-2"),
    ("operation", VERIFY),
    ("operation", LIST),
    ("outcome", "refused"),
    ("dossier", DOSSIER),
    ("subject", SUBJECT),
)


@dataclass(frozen=True)
class Kept:
    """What was done in the country before anybody looked: by id, the agency and what for."""

    gate: Gate
    records: Mapping[str, tuple[str, str]]
    clients: Sequence[str]
    span: Mapping[str, str]

    def seen(self, right: Limits) -> set[str]:
        return {
            record
            for record, (agency, purpose) in self.records.items()
            if right.reaches(agency) and right.allows(purpose)
        }


@pytest.fixture(scope="session")
async def kept(postgres: Databases) -> AsyncIterator[Kept]:
    async with (
        open_services() as services,
        open_gate(postgres.migrated_url("gateway"), services) as gate,
    ):
        begin = datetime.now(UTC)
        clients = [await gate.newcomer(make_grant(agencies=None), agency=a) for a in AGENCIES]
        for client, agency in zip(clients, AGENCIES, strict=True):
            for place, purpose in enumerate(PROCEDURES):
                about = {"X-Purpose": purpose, "X-Dossier": DOSSIER if place % 2 else None}
                operation = (VERIFY, LIST, "GET /sync/v1/indicators")[place % 3]
                await gate.ask(operation, client=client, agency=agency, headers=about)
            # Recorded last, and so the others as well.
            await gate.ask(VERIFY, client=client, agency=agency)
        found = [row for client in clients for row in await gate.records(client=client)]
        records = {str(row["id"]): (row["agency"], row["purpose"]) for row in found}
        assert len(records) == len(AGENCIES) * (len(PROCEDURES) + 1)
        span = {"from": begin.isoformat(), "to": datetime.now(UTC).isoformat()}
        yield Kept(gate, records, clients, span)


class Reader:
    """A client with that right to the ledger, and to nothing else."""

    def __init__(self, kept: Kept, right: Limits, name: str) -> None:
        self._kept, self._name = kept, name
        self._purpose = min(right.procedures or PROCEDURES)

    async def ask(self, path: str, **params: object) -> Response:
        return await self._kept.gate.ask(
            f"GET {path}",
            client=self._name,
            agency="G22",
            headers={"X-Purpose": self._purpose},
            params=params,
        )

    async def found(self, limit: int = 500, **params: object) -> list[str]:
        ids: list[str] = []
        while True:
            answer = await self.ask(RECORDS, **{"limit": limit, **self._kept.span, **params})
            assert answer.status_code == 200, answer.text
            ids += [item["id"] for item in answer.json()["items"]]
            if (following := answer.json()["next"]) is None:
                return ids
            params["after"] = following


async def reader(kept: Kept, right: Limits) -> Reader:
    grant = make_grant(operations=LEDGER, **right.claims)
    return Reader(kept, right, await kept.gate.newcomer(grant, agency="G22"))


@tried(10)
@given(limits.map(lambda right: replace(right, fields=None)))
@example(Limits(frozenset({"H26.1"})))  # not of H26.10, which only begins alike
async def test_record_outside_the_right_is_not_in_the_ledger(kept: Kept, right: Limits) -> None:
    me, seen, nobodys = await reader(kept, right), kept.seen(right), str(uuid4())
    unknown = [await me.ask(f"{RECORDS}/{nobodys}{end}") for end in ("", "/proof")]
    for record in kept.records:
        answers = [await me.ask(f"{RECORDS}/{record}{end}") for end in ("", "/proof")]
        if record in seen:
            assert [each.status_code for each in answers] == [200, 200]
            continue
        assert [each.status_code for each in answers] == [404, 404], answers[0].text
        assert [told(each, record) for each in answers] == [told(u, nobodys) for u in unknown]
    assert sorted(await me.found(limit=7)) == sorted(seen)


@tried(8)
@given(limits.map(lambda right: replace(right, fields=None)))
async def test_no_filter_and_no_cursor_of_another_widens_the_ledger(
    kept: Kept, right: Limits
) -> None:
    auditor, me = await reader(kept, Limits()), await reader(kept, right)
    seen = kept.seen(right)
    for name, value in FILTERS:
        every = await auditor.found(**{name: value})
        assert sorted(await me.found(**{name: value})) == sorted(seen & set(every)), (name, value)
    page = (await auditor.ask(RECORDS, limit=4, **kept.span)).json()
    newest = {item["id"] for item in page["items"]}
    assert set(await me.found(after=page["next"])) == seen - newest


@tried(12)
@given(some(MEMBERS))
async def test_member_outside_the_right_is_neither_shown_nor_looked_for(
    kept: Kept, fields: frozenset[str] | None
) -> None:
    right = Limits(fields=fields)
    me = await reader(kept, right)
    listed = await me.ask(RECORDS, limit=500, **kept.span)
    one = await me.ask(f"{RECORDS}/{next(iter(kept.records))}")
    for item in [*listed.json()["items"], one.json()]:
        assert set(item) & set(MEMBERS) <= {name for name in MEMBERS if right.shows(name)}
        assert fields is None or set(item) <= PLACE | fields
    for name, value in FILTERS:
        looked = await me.ask(RECORDS, **{name: value})
        member = "subjects" if name == "subject" else name
        assert looked.status_code == (200 if right.shows(member) else 403)
        assert looked.is_success or value not in looked.text
    proof = [
        await me.ask(f"{RECORDS}/{each}/proof") for each in (next(iter(kept.records)), uuid4())
    ]
    assert [each.status_code for each in proof] == ([200, 404] if fields is None else [403, 403])


@tried(5)
@given(limits)
async def test_seals_are_the_same_for_everybody_and_name_nobody(kept: Kept, right: Limits) -> None:
    auditor, me = await reader(kept, Limits()), await reader(kept, right)
    everybodys, mine = await auditor.ask(SEALS, limit=50), await me.ask(SEALS, limit=50)
    assert mine.json()["items"] == everybodys.json()["items"]
    names = (*kept.records, *kept.clients, *PROCEDURES, SUBJECT, DOSSIER)
    assert [name for name in names if f'"{name}"' in mine.text] == []
