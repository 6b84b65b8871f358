"""Every operation × every kind of caller, through the real gateway to the real services."""

from collections.abc import Mapping
from typing import Any

import httpx
import orjson
import pytest

from gateway.operations.model import Operation
from gateway.operations.table import OPERATIONS
from tests.access.answers import gist, told
from tests.access.bodies import NAME
from tests.access.callers import MALFORMED, NO_PURPOSE, Kind, kinds
from tests.access.country import Country
from tests.access.routes import ROUTES
from tests.access.samples import Sample, Things, samples

ALL = list(OPERATIONS.values())
PROTECTED = [each for each in ALL if not each.public]


class Asking:
    """One operation, asked in the ways of all kinds of caller.

    It has an address of its own: what is refused of all operations is near what one may ask for.
    """

    def __init__(self, country: Country, things: Things, operation: Operation) -> None:
        self._country, self._operation = country, operation
        self._sample = samples(things)[operation.name]
        self._markers = things.markers(operation.name)
        self._address = f"203.0.113.{list(OPERATIONS).index(operation.name)}"

    async def ask(self, kind: Kind, whose: str) -> tuple[httpx.Response, Sample]:
        sample, operation = self._sample(whose), self._operation
        path = operation.template.format(**sample.path)
        headers = [*kind.headers, *sample.headers.items()]
        answer = await self._country.ask(
            operation.method, path, headers, address=self._address, **sample.sent
        )
        return answer, sample

    async def summed(self) -> int:
        """How many calls without a client are on record of this address."""
        ledger: Any = self._country.gate.admission._ledger
        source = ledger._sums.hash_source_address(self._address)
        sums = await self._country.gate.sums()
        return sum(each["calls"] for each in sums if each["source"] == source)

    def gist(self, answer: httpx.Response) -> str:
        return gist(answer, self._markers, NAME)


@pytest.mark.parametrize("operation", ALL, ids=lambda each: each.name)
async def test_each_kind_of_caller_gets_the_answer_of_the_table_and_is_on_record(
    country: Country, things: Things, operation: Operation
) -> None:
    asking = Asking(country, things, operation)
    others, asked, unproven = {}, {}, 0
    for name, kind in kinds(country, operation, ROUTES[operation.name]):
        answer, _ = await asking.ask(kind, "ours")
        if kind.proven:
            asked[answer.headers["X-Request-Id"]] = _outcome(kind, answer.status_code)
        unproven += not kind.proven
        if (found := asking.gist(answer)) != kind.answer:
            others[name] = f"{found}, not {kind.answer}"
    assert others == {}
    rows = await country.gate.records(operation=operation.name)
    told = [orjson.loads(row["record"]) for row in rows]
    # A change is announced before its service is asked; the record of its answer completes that.
    ended = [each for each in told if each["status"] is not None]
    kept = [(each["request_id"], each["outcome"]) for each in ended]
    assert sorted(one for one in kept if one[0] in asked) == sorted(asked.items())
    assert await asking.summed() == unproven


def _outcome(kind: Kind, status: int) -> str:
    """The gateway refuses in its own words; a 404 of a service refuses as a 403 does."""
    if status in {401, 403, 404} or kind.answer in {NO_PURPOSE, MALFORMED}:
        return "refused"
    return "allowed" if status < 400 else "no_effect"


@pytest.mark.parametrize("operation", PROTECTED, ids=lambda each: each.name)
async def test_what_is_theirs_cannot_be_told_from_what_nobody_has(
    country: Country, things: Things, operation: Operation
) -> None:
    asking, row = Asking(country, things, operation), ROUTES[operation.name]
    by_name: Mapping[str, Kind] = dict(kinds(country, operation, row))
    theirs, asked = await asking.ask(by_name["a right"], "theirs")
    nobodys, unknown = await asking.ask(by_name["a right"], "nobody")
    if asked.target is None:
        pytest.skip("nothing in the request names whose it is")
    assert asking.gist(theirs) == row.column("theirs")
    assert told(theirs, asked.target) == told(nobodys, unknown.target)


def test_table_has_a_row_for_each_operation_and_no_other() -> None:
    assert set(ROUTES) - set(OPERATIONS) == set(), "stale rows"
    assert set(OPERATIONS) - set(ROUTES) == set(), "operations without a row"


def test_table_names_what_is_personal_and_what_is_public() -> None:
    said: dict[str, Any] = {name: (row.personal, row.public) for name, row in ROUTES.items()}
    assert said == {name: (each.personal, each.public) for name, each in OPERATIONS.items()}
