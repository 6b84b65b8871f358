"""One code proves one call, once, to one process: change any byte and it proves nothing."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.web.calls.call_mac import (
    COVERED,
    EPOCH_S,
    HEADER,
    MAX_EPOCH_CALLS,
    NO_BODY,
    CallNotProved,
    CallParts,
    CallVerifier,
    HeaderRepeatedError,
    hash_body,
    read_challenge,
    sign_body,
    sign_call,
)

KEY, OTHER_KEY = b"k" * 64, b"o" * 64
HEADERS = [
    (b"host", b"service"),
    (b"x-client", b"onestop-h26"),
    (b"x-agency", b"H26"),
    (b"x-purpose", "đăng ký".encode()),
    (b"x-officer", b"officer-1"),
    (b"x-dossier", b"H26-261122-0001"),
    (b"x-request-id", b"0123456789abcdef"),
    (b"x-right", b"e30.e30.e30"),
    (b"content-type", b"application/json"),
    (b"idempotency-key", b"once"),
    (b"if-match", b'"7"'),
    (b"if-none-match", b'"8"'),
    (b"x-client-proof", b"e30.e30.e30"),
    (b"x-body-length", b"70000"),
    (b"accept", b"*/*"),
]
CALL = CallParts("POST", b"/dossier/v1/dossiers?limit=5", b"record-1", hash_body(b"{}"))


def scope_of(call: CallParts, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    path, _, query = call.target.partition(b"?")
    return {"method": call.method, "raw_path": path, "query_string": query, "headers": headers}


def signed(
    calls: CallVerifier,
    call: CallParts = CALL,
    *,
    key: bytes = KEY,
    headers: list[tuple[bytes, bytes]] = HEADERS,
) -> dict[str, Any]:
    value, _ = sign_call(key, call, headers, calls.epoch.encode())
    return scope_of(call, [*headers, (HEADER, value)])


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_proved_call_names_its_client() -> None:
    calls = CallVerifier(KEY)
    proved = calls.verify(signed(calls))
    assert (proved.client, proved.agency, proved.body) == ("onestop-h26", "H26", CALL.body)


def test_second_use_is_refused() -> None:
    calls = CallVerifier(KEY)
    scope = signed(calls)
    calls.verify(scope)
    with pytest.raises(CallNotProved):
        calls.verify(scope)


def test_same_id_is_not_taken_for_another_call() -> None:
    calls = CallVerifier(KEY)
    calls.verify(signed(calls))
    with pytest.raises(CallNotProved):
        calls.verify(signed(calls, CALL._replace(target=b"/dossier/v1/dossiers")))


def test_refused_call_does_not_use_its_id_up() -> None:
    calls = CallVerifier(KEY)
    with pytest.raises(CallNotProved):
        calls.verify(signed(calls, key=OTHER_KEY))
    calls.verify(signed(calls))


def test_another_process_of_the_service_takes_no_call_of_this_one() -> None:
    """A process that was started anew is another one too."""
    calls, other = CallVerifier(KEY), CallVerifier(KEY)
    with pytest.raises(CallNotProved):
        other.verify(signed(calls))


def test_code_is_good_for_one_epoch() -> None:
    clock = Clock()
    calls = CallVerifier(KEY, clock=clock)
    scope = signed(calls)
    clock.now += EPOCH_S
    with pytest.raises(CallNotProved) as refused:
        calls.verify(scope)
    assert refused.value.headers
    named = read_challenge(refused.value.headers["WWW-Authenticate"].encode())
    assert named == calls.epoch.encode()
    calls.verify(signed(calls))


def test_used_code_is_good_in_no_later_epoch() -> None:
    """Also where clocks are set back: no instant is compared."""
    clock = Clock()
    calls = CallVerifier(KEY, clock=clock)
    scope = signed(calls)
    calls.verify(scope)
    for step in (EPOCH_S, -10 * EPOCH_S, 11 * EPOCH_S):
        clock.now += step
        with pytest.raises(CallNotProved):
            calls.verify(scope)


def test_memory_is_bounded_and_forgets_nothing_that_is_still_good() -> None:
    calls = CallVerifier(KEY, max_calls=3)
    used = []
    for number in range(10):
        scope = signed(calls, CALL._replace(call_id=b"%d" % number))
        calls.verify(scope)
        used.append(scope)
        assert len(calls._used) <= 3
    for scope in used:
        with pytest.raises(CallNotProved):
            calls.verify(scope)
    assert MAX_EPOCH_CALLS * 150 < 10 * 2**20


CHANGES: dict[str, CallParts] = {
    "other method": CALL._replace(method="PUT"),
    "other path": CALL._replace(target=b"/dossier/v1/dossiers/H26?limit=5"),
    "other query": CALL._replace(target=b"/dossier/v1/dossiers?limit=6"),
    "no query": CALL._replace(target=b"/dossier/v1/dossiers"),
    "no body": CALL._replace(body=NO_BODY),
    "other body": CALL._replace(body=hash_body(b"[]")),
    "other id": CALL._replace(call_id=b"record-2"),
}


@pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES)
def test_code_of_another_call_is_refused(changed: CallParts) -> None:
    calls = CallVerifier(KEY)
    value, _ = sign_call(KEY, CALL, HEADERS, calls.epoch.encode())
    # The attacker writes the header as it suits the changed call, and keeps the code.
    told = b" ".join((changed.call_id, calls.epoch.encode(), changed.body, value.split()[3]))
    with pytest.raises(CallNotProved):
        calls.verify(scope_of(changed, [*HEADERS, (HEADER, told)]))


@pytest.mark.parametrize("name", COVERED)
def test_covered_header_is_neither_changed_nor_added_nor_left_out(name: bytes) -> None:
    calls = CallVerifier(KEY)
    scope = signed(calls)
    others = [header for header in scope["headers"] if header[0] != name]
    had = dict(scope["headers"]).get(name)
    ways = [[*others, (name, b"other")], [*scope["headers"], (name, had or b"second")]]
    if had is not None:
        ways += [others, [*others, (name, b"")]]
    for headers in ways:
        with pytest.raises(CallNotProved):
            calls.verify(scope | {"headers": headers})
    calls.verify(scope)


@pytest.mark.parametrize(
    "value", [b"", b" ", b"a b c", b"a b c d e", b"a b c d", b"\xff\xfe", b"   "]
)
def test_header_that_is_no_code_is_refused(value: bytes) -> None:
    with pytest.raises(CallNotProved):
        CallVerifier(KEY).verify(scope_of(CALL, [*HEADERS, (HEADER, value)]))


def test_two_codes_are_refused() -> None:
    calls = CallVerifier(KEY)
    scope = signed(calls)
    with pytest.raises(CallNotProved):
        calls.verify(scope | {"headers": [*scope["headers"], scope["headers"][-1]]})


def test_list_in_several_lines_is_proved_whole_in_any_order() -> None:
    calls = CallVerifier(KEY)
    lines = [(b"if-none-match", b'"9"'), (b"if-none-match", b'"10"')]
    scope = signed(calls, headers=[*HEADERS, *lines])
    for changed in ([*HEADERS, lines[0]], [*HEADERS, *lines, lines[0]]):
        with pytest.raises(CallNotProved):
            calls.verify(scope | {"headers": [*changed, scope["headers"][-1]]})
    calls.verify(scope | {"headers": scope["headers"][::-1]})


def test_call_whose_header_stands_twice_is_not_signed() -> None:
    with pytest.raises(HeaderRepeatedError):
        sign_call(KEY, CALL, [*HEADERS, (b"x-purpose", b"other")], b"epoch")


@given(st.data())
def test_no_byte_of_a_signed_part_can_be_changed(data: st.DataObject) -> None:
    calls = CallVerifier(KEY)
    scope = signed(calls)
    places: list[tuple[str, int | None]] = [
        ("raw_path", None),
        ("query_string", None),
        ("method", None),
    ]
    places += [("headers", n) for n, (name, _) in enumerate(scope["headers"]) if _counts(name)]
    part, number = data.draw(st.sampled_from(places))
    old = scope["headers"][number][1] if number is not None else _raw(scope[part])
    at, bit = data.draw(st.integers(0, len(old) - 1)), data.draw(st.integers(0, 7))
    new = old[:at] + bytes([old[at] ^ 1 << bit]) + old[at + 1 :]
    if number is not None:
        headers = list(scope["headers"])
        headers[number] = (headers[number][0], new)
        changed = scope | {"headers": headers}
    else:
        assume(part != "method" or new.isascii())
        changed = scope | {part: new.decode() if part == "method" else new}
    with pytest.raises(CallNotProved):
        calls.verify(changed)
    calls.verify(scope)


def _counts(name: bytes) -> bool:
    return name in COVERED or name == HEADER


def _raw(value: bytes | str) -> bytes:
    return value.encode() if isinstance(value, str) else value


# No part of an HTTP message holds the end of a line.
PARTS = st.binary(max_size=12).filter(lambda part: not {*b" \n"} & {*part})
COVERED_VALUES = st.dictionaries(st.sampled_from(COVERED), PARTS)


@given(
    st.tuples(PARTS, PARTS, PARTS, COVERED_VALUES), st.tuples(PARTS, PARTS, PARTS, COVERED_VALUES)
)
def test_two_calls_never_have_one_code(first: tuple[Any, ...], second: tuple[Any, ...]) -> None:
    """Where one part ends and the next begins is part of what is signed."""
    assume(first != second)
    codes = [
        sign_call(KEY, CallParts("GET", target, call_id, body), headers.items(), b"epoch")[1]
        for target, call_id, body, headers in (first, second)
    ]
    assert codes[0] != codes[1]


def test_code_of_a_body_belongs_to_its_call() -> None:
    digest = b"d" * 32
    first, second = (
        sign_call(KEY, CALL._replace(call_id=i), HEADERS, b"e")[1] for i in (b"1", b"2")
    )
    assert sign_body(KEY, first, digest) != sign_body(KEY, second, digest)
    assert sign_body(KEY, first, digest) != sign_body(OTHER_KEY, first, digest)
