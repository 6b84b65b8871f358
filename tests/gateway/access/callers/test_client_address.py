from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.access.callers.client_address import (
    FORWARDED_BY_UNNAMED,
    TrustedProxies,
    UnnamedProxies,
)


def scope(neighbour: str, *passed_on: str, header: bytes = b"x-forwarded-for") -> dict[str, Any]:
    headers = [(header, value.encode()) for value in passed_on]
    return {"type": "http", "client": (neighbour, 1), "headers": headers}


@pytest.mark.parametrize(
    ("asked", "caller"),
    [
        (scope("10.0.0.1", "203.0.113.9"), "203.0.113.9"),
        (scope("10.0.0.1", "6.6.6.6, 203.0.113.9, 10.0.0.2"), "203.0.113.9"),
        (scope("10.0.0.1", "6.6.6.6", "203.0.113.9"), "203.0.113.9"),
        (scope("10.0.0.1", "6.6.6.6," * 7_000 + "203.0.113.9"), "203.0.113.9"),
        (scope("10.0.0.1", "6.6.6.6, no address"), "10.0.0.1"),
        (scope("10.0.0.1", "2001:db8::1"), "2001:db8::/64"),
        (scope("10.0.0.1", "2001:db8::ffff:0:0:1"), "2001:db8::/64"),
        (scope("2001:db8:0:1::9"), "2001:db8:0:1::/64"),
        (scope("::ffff:203.0.113.9"), "203.0.113.9"),
        (scope("10.0.0.1"), "10.0.0.1"),
        (scope("203.0.113.9", "6.6.6.6"), "203.0.113.9"),
        ({"type": "http", "client": None, "headers": []}, ""),
    ],
)
def test_caller_is_the_last_who_is_no_trusted_proxy(asked: dict[str, Any], caller: str) -> None:
    assert TrustedProxies("10.0.0.0/24, ::1").read_client_address(asked) == caller


def test_nobody_is_believed_by_default() -> None:
    assert TrustedProxies().read_client_address(scope("10.0.0.1", "6.6.6.6")) == "10.0.0.1"


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        (scope("127.0.0.1"), True),
        (scope("::1"), True),
        (scope("10.0.0.1"), True),
        (scope("10.0.1.1"), False),
        (scope("127.0.0.1", "10.0.0.1"), False),
        # An empty line of the caller's own hides none that a proxy adds.
        (scope("127.0.0.1", "", "203.0.113.9"), False),
        (scope("127.0.0.1", "1.1 proxy", header=b"via"), False),
        ({"type": "http", "client": None, "headers": []}, False),
    ],
)
def test_near_is_this_machine_and_who_is_trusted(asked: dict[str, Any], near: bool) -> None:
    assert TrustedProxies("10.0.0.0/24").is_internal_call(asked) is near


def test_proxy_that_nobody_named_is_warned_of_once() -> None:
    now = [0.0]
    unnamed = UnnamedProxies(lambda: now[0])
    with capture_logs() as logs:
        for _ in range(300):
            unnamed.count_untrusted_call("10.0.0.1")
        assert [(each["event"], each["neighbour"]) for each in logs] == [
            ("proxy_not_trusted", "10.0.0.1")
        ]
        now[0] += 601
        for _ in range(99):
            unnamed.count_untrusted_call("10.0.0.1")
    assert len(logs) == 1


def test_forwarded_call_of_a_stranger_is_counted_and_of_a_trusted_proxy_not() -> None:
    before = FORWARDED_BY_UNNAMED._value.get()
    TrustedProxies("10.0.0.0/24").read_client_address(scope("10.0.0.1", "203.0.113.9"))
    assert FORWARDED_BY_UNNAMED._value.get() == before
    TrustedProxies().read_client_address(scope("10.0.0.1", "203.0.113.9"))
    assert FORWARDED_BY_UNNAMED._value.get() == before + 1


def test_what_is_no_address_stops_the_start() -> None:
    with pytest.raises(ValueError, match="proxy"):
        TrustedProxies("proxy")
