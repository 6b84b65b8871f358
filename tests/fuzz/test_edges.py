"""What stands beside a body (query, key, address) or in a file: read in one way, or refused."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import parse_qsl, quote_from_bytes

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError
from starlette.requests import Request
from starlette.types import Scope

from gateway.access.callers.client_address import TrustedProxies, normalise_counted_address
from gateway.ledger.chain.anchors import read_file_anchors
from shared.codes.persons.personal_numbers import holds_personal_number
from shared.database.engine import open_database
from shared.events import LedgerAnchored
from shared.runtime.app import create_service
from shared.settings import ServiceSettings
from shared.web.bodies.strict_parsing import QueryUnreadable, reject_ambiguous_query
from shared.web.idempotency import MAX_KEY_CHARACTERS
from shared.web.problems import Invalid
from tests.conftest import MORE, Databases
from tests.fuzz.texts import JSON, NEARLY
from tests.shared.event_flow import SERVICE, create_infrastructure_tables
from tests.shared.web.test_idempotency import OPERATION, PATH, router
from tests.support.event_keys import key_text
from tests.support.factories import CALL_KEY, DIGEST_KEY, TestAuthority
from tests.support.serving import calling

WORDS = frozenset({"limit", "after"})
PARTS = (NEARLY.map(str.encode) | st.binary(max_size=9)).map(quote_from_bytes)
QUERIES = st.lists(
    st.tuples(st.sampled_from(sorted(WORDS)) | PARTS, PARTS).map("=".join), max_size=3
).map(lambda pairs: "&".join(pairs).encode())


@given(query=QUERIES | st.binary(max_size=40))
@example(query="limit=é".encode())
@example(query=b"limit=%C3%A9&after=+%2B")
@example(query=b"limit=1&limit=1")
@example(query=b"limit=%80")
def test_query_has_one_reading_or_is_refused(query: bytes) -> None:
    asked = Request({"type": "http", "query_string": query, "headers": []})
    try:
        reject_ambiguous_query(asked, WORDS)
    except (Invalid, QueryUnreadable):
        return
    read = asked.query_params.multi_items()
    assert read == parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict")
    assert WORDS.issuperset(dict(read))
    assert len(dict(read)) == len(read)


ADDRESSES = st.ip_addresses().map(str) | st.sampled_from(["10.0.0.1", "127.0.0.1", "::1"])
NETWORKS = st.sampled_from(["10.0.0.0/24", "10.0.0.1", "::/0", "0.0.0.0/0", "10.0.0.1/24", ""])
NAMED = st.lists(ADDRESSES | NEARLY, max_size=4).map(",".join)


@given(
    trusted=st.lists(NETWORKS | ADDRESSES | NEARLY, max_size=3).map(",".join),
    neighbour=ADDRESSES | NEARLY,
    lines=st.lists(NAMED.map(str.encode) | st.binary(max_size=20), max_size=2),
)
@example(trusted="10.0.0.0/24", neighbour="10.0.0.1", lines=[b"6.6.6.6, 203.0.113.9, 10.0.0.2"])
@example(trusted="", neighbour="127.0.0.1", lines=[b"", b"6.6.6.6"])
def test_caller_is_the_neighbour_or_named_by_a_trusted_one(
    trusted: str, neighbour: str, lines: list[bytes]
) -> None:
    headers = [(b"x-forwarded-for", line) for line in lines]
    scope: Scope = {"type": "http", "client": (neighbour, 1), "headers": headers}
    try:
        proxies = TrustedProxies(trusted)
    except ValueError:
        return
    networks = [ip_network(each.strip()) for each in trusted.split(",") if each.strip()]
    caller = proxies.read_client_address(scope)
    named = [each.strip() for each in b",".join(lines).decode("latin-1").split(",")]
    if caller != normalise_counted_address(neighbour):
        # All that stand behind it, up to the neighbour, are trusted.
        counted = [normalise_counted_address(each) for each in named]
        behind = named[len(named) - counted[::-1].index(caller) :]
        for each in (neighbour, *behind):
            assert any(ip_address(each.strip()) in network for network in networks)
    assert not (lines and proxies.is_internal_call(scope))


ANCHOR = LedgerAnchored(
    chain="gateway-1",
    version=1,
    head="0" * 64,
    signature="c2lnbmVk",
    at=datetime(2026, 11, 2, tzinfo=UTC),
)
SOUND = ANCHOR.model_dump_json().encode()
NEARLY_SOUND = st.dictionaries(
    st.sampled_from(["chain", "version", "head", "signature", "at", "more"]), JSON | NEARLY
).map(lambda changes: orjson.dumps(orjson.loads(SOUND) | changes))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(st.just(SOUND) | NEARLY_SOUND | st.binary(max_size=40), max_size=4),
    end=st.sampled_from([b"\n", b"\r\n", b"\n\n"]),
)
def test_each_line_of_a_file_of_anchors_is_read_or_named(
    tmp_path: Path, lines: list[bytes], end: bytes
) -> None:
    """An anchor that was passed over unsaid would prove nothing."""
    file = tmp_path / "anchors"
    file.write_bytes(end.join([SOUND, *lines]))
    told = read_file_anchors(file)
    written = [line for each in lines for line in each.splitlines() if line.strip()]
    assert len(told.anchors) + len(told.unreadable) == 1 + len(written)
    assert told.anchors[0] == ANCHOR
    for line in written:
        try:
            anchor = LedgerAnchored.model_validate_json(line)
        except ValidationError:
            assert told.unreadable
        else:
            # The name of a chain that no gateway makes may be any text.
            assert anchor in told.anchors or (
                told.unreadable and not re.fullmatch(r"gateway-[1-9][0-9]*", anchor.chain)
            )


@pytest.fixture(scope="module")
async def client(postgres: Databases) -> AsyncIterator[httpx.AsyncClient]:
    told = ServiceSettings(
        name=SERVICE,
        database_url=postgres.database_url(SERVICE),
        kafka_servers="127.0.0.1:9",
        digest_key=DIGEST_KEY,
        event_key=SecretStr(key_text(SERVICE)),
    )
    async with open_database(told) as sessions:
        await create_infrastructure_tables(sessions)
    app = create_service(
        told, title="Test", prefix="/dossier/v1", routers=[router], call_key=CALL_KEY
    )
    authority = TestAuthority()
    async with calling(app, authority) as client:
        client.headers.update(authority.headers(OPERATION, SERVICE))
        yield client


# What the wire lets through of a header: no control characters but a tab.
KEYS = st.binary(max_size=MAX_KEY_CHARACTERS + 9).map(
    lambda raw: bytes(byte for byte in raw if byte == 9 or (byte >= 32 and byte != 127))
)


@settings(max_examples=40 * MORE)
@given(key=KEYS)
@example(key=b"k" * MAX_KEY_CHARACTERS)
@example(key=b"k" * (MAX_KEY_CHARACTERS + 1))
async def test_key_stands_for_one_request_or_is_refused(
    client: httpx.AsyncClient, key: bytes
) -> None:
    async def sent(text: str) -> httpx.Response:
        headers = [(b"Idempotency-Key", key)]
        return await client.post(PATH, json={"text": text}, headers=headers)

    first, again, other = [await sent(text) for text in ("one", "one", "other")]
    # A tab lies within the key here: those at its ends are not of it.
    is_text = key.isascii() and key.decode("latin-1").isprintable()
    is_key = is_text and 0 < len(key) <= MAX_KEY_CHARACTERS
    if not is_key or holds_personal_number(key.decode()):
        assert first.json()["type"] == "/problems/idempotency-key-unreadable"
        return
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert other.json()["type"] == "/problems/idempotency-key-reused"
