"""Without credentials nobody makes the ledger grow: such calls are summed by address and minute."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.access.callers.client_address import normalise_counted_address
from gateway.ledger.record_draft import AccessRecordDraft
from gateway.ledger.records import AccessOutcome, AccessRecord
from gateway.ledger.sums import MAX_DETAILED_SUMS, MAX_SUMS, AnonymousCalls
from gateway.operations.table import OPERATIONS
from tests.conftest import Databases
from tests.gateway.ledger.ledgers import Store, draft, writing
from tests.support.gateway_harness import LIST, VERIFY, Gate, Services, open_gate

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
AT = datetime(2026, 11, 2, 8, 30, 12, tzinfo=UTC)
TOKEN = "POST /oauth/token"


@pytest.fixture
def sums() -> AnonymousCalls:
    return AnonymousCalls(KEY)


def refused(address: str, operation: str = VERIFY, status: int = 401) -> AccessRecordDraft:
    made = AccessRecordDraft(OPERATIONS[operation], "request-1", address=address)
    made.end_call(status, AccessOutcome.REFUSED)
    return made


def ended(sums: AnonymousCalls) -> list[AccessRecord]:
    return sums.take_ended_sums(AT + timedelta(minutes=1))


def test_calls_of_one_address_and_minute_are_one_record(sums: AnonymousCalls) -> None:
    for second in range(40):
        sums.add_anonymous_call(refused("203.0.113.7"), AT + timedelta(seconds=second))
    assert sums.take_ended_sums(AT + timedelta(seconds=40)) == []
    (record,) = ended(sums)
    assert (record.calls, record.source) == (40, sums.hash_source_address("203.0.113.7"))
    assert (record.operation, record.outcome, record.status) == ("any verification", "refused", 401)
    assert record.at == AT.replace(second=0)
    assert ended(sums) == []


@pytest.mark.parametrize(
    "other",
    [refused("203.0.113.8"), refused("203.0.113.7", LIST), refused("203.0.113.7", status=400)],
    ids=["address", "class of operation", "status"],
)
def test_sums_are_parted_by(sums: AnonymousCalls, other: AccessRecordDraft) -> None:
    sums.add_anonymous_call(refused("203.0.113.7"), AT)
    sums.add_anonymous_call(other, AT)
    assert [record.calls for record in ended(sums)] == [1, 1]


def test_each_minute_has_its_own_record(sums: AnonymousCalls) -> None:
    sums.add_anonymous_call(refused("203.0.113.7"), AT)
    sums.add_anonymous_call(refused("203.0.113.7"), AT + timedelta(minutes=1))
    minutes = [record.at.minute for record in sums.take_ended_sums(AT + timedelta(minutes=2))]
    assert minutes == [30, 31]


def test_clock_that_is_set_back_loses_no_call(sums: AnonymousCalls) -> None:
    sums.add_anonymous_call(refused("203.0.113.7"), AT)
    sums.add_anonymous_call(refused("203.0.113.7"), AT - timedelta(hours=1))
    assert sum(record.calls for record in ended(sums)) == 2


def addresses() -> Iterator[str]:
    return (f"2001:db8:{number:x}::1" for number in range(10_000))


def test_any_number_of_addresses_leaves_a_bounded_number_of_records(sums: AnonymousCalls) -> None:
    for address in addresses():
        sums.add_anonymous_call(refused(address), AT)
    records = ended(sums)
    assert len(records) == MAX_SUMS + 1
    assert sum(record.calls for record in records) == 10_000
    [rest] = [record for record in records if record.source is None]
    assert (rest.operation, rest.calls) == ("any", 10_000 - MAX_SUMS)


def test_few_addresses_with_many_results_do_not_hide_the_source_of_another(
    sums: AnonymousCalls,
) -> None:
    noisy = [f"203.0.113.{number}" for number in range(4)]
    for address in noisy:
        for status in range(400, 500):
            for operation in (VERIFY, LIST, TOKEN):
                sums.add_anonymous_call(refused(address, operation, status), AT)
    sums.add_anonymous_call(refused("198.51.100.7"), AT)
    records = ended(sums)
    assert len(records) == MAX_DETAILED_SUMS + len(noisy) + 1
    assert sum(record.calls for record in records) == 1201
    [quiet] = [
        record for record in records if record.source == sums.hash_source_address("198.51.100.7")
    ]
    assert (quiet.calls, quiet.operation, quiet.status) == (1, "any", None)
    assert None not in {record.source for record in records}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("", "", True),
    ],
)
def test_source_is_the_address_or_the_network_of_one_caller(
    sums: AnonymousCalls, one: str, other: str, same: bool
) -> None:
    assert (
        sums.hash_source_address(normalise_counted_address(one))
        == sums.hash_source_address(normalise_counted_address(other))
    ) is same


def test_source_is_keyed_by_the_ledger(sums: AnonymousCalls) -> None:
    another = AnonymousCalls(Ed25519PrivateKey.from_private_bytes(bytes(32)))
    assert sums.hash_source_address("203.0.113.7") != another.hash_source_address("203.0.113.7")
    assert sums.hash_source_address("203.0.113.7") == AnonymousCalls(KEY).hash_source_address(
        "203.0.113.7"
    )


@pytest.mark.parametrize("operation", [VERIFY, LIST, TOKEN, "GET /.well-known/jwks.json"])
async def test_calls_without_credentials_leave_one_record_a_minute(
    postgres: Databases, services: Services, operation: str
) -> None:
    async with open_gate(postgres.migrated_url("gateway"), services) as gate:
        before = await gate.sums()
        method, _, path = operation.partition(" ")
        far = httpx.ASGITransport(gate.gateway, client=("203.0.113.7", 1))
        async with httpx.AsyncClient(transport=far, base_url="http://gateway") as outside:
            for _ in range(30):
                await outside.request(method, path)
        assert await kept(gate) == len(before)
        new = (await gate.sums())[len(before) :]
        assert sum(each["calls"] for each in new) == 30
        assert len(new) == len({each["at"] for each in new})
        assert "203.0.113.7" not in str(new)


async def kept(gate: Gate) -> int:
    return len([row for row in await gate.records() if row["client"] is None])


async def test_sums_are_on_record_when_the_process_ends(store: Store) -> None:
    async with writing(store) as ledger:
        for _ in range(3):
            assert await ledger.record(refused("203.0.113.7")) == b""
        await ledger.record(draft())
    rows = await store.rows("SELECT record FROM access_record ORDER BY number, index")
    records = [AccessRecord.parse_sealed_text(row["record"]) for row in rows]
    assert [(each.client, each.calls) for each in records] == [("h26", 1), (None, 3)]
    await store.assert_intact()
