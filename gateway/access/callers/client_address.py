"""Find the address of the caller, directly or behind trusted proxies."""

import time
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import structlog
from prometheus_client import Counter
from starlette.types import Scope

FORWARDED_FOR = b"x-forwarded-for"
# A proxy adds one of these headers, so the peer of the connection is not the caller.
_PROXY_HEADERS = (b"forwarded", FORWARDED_FOR, b"via")
# The proxies in a row that are looked through; a caller may send a list of any length before them.
MAX_PROXIES = 50


log = structlog.get_logger()

FORWARDED_BY_UNNAMED = Counter(
    "forwarded_by_unnamed_total",
    "Calls with X-Forwarded-For from a peer that is not a trusted proxy",
)
_IPV6_COUNTED = 64
_WARN_AFTER, _WARN_EVERY_S = 100, 600.0


class UnnamedProxies:
    """Warn when calls arrive through a proxy that TRUSTED_PROXIES does not name."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._calls, self._begun = 0, clock()

    def count_untrusted_call(self, neighbour: str) -> None:
        FORWARDED_BY_UNNAMED.inc()
        now = self._clock()
        if now - self._begun > _WARN_EVERY_S:
            self._calls, self._begun = 0, now
        self._calls += 1
        if self._calls == _WARN_AFTER:
            log.warning(
                "proxy_not_trusted",
                neighbour=neighbour,
                advice="Add it to TRUSTED_PROXIES; otherwise all its callers share one quota.",
            )


class TrustedProxies:
    """Find the caller behind trusted proxies.

    `trusted` lists addresses or networks separated by commas; other texts raise ValueError.
    """

    def __init__(self, trusted: str = "") -> None:
        self._trusted = [ip_network(text.strip()) for text in trusted.split(",") if text.strip()]
        self._unnamed = UnnamedProxies()

    def read_client_address(self, scope: Scope) -> str:
        """Return the address by which the caller is counted.

        Each proxy appends the address that it saw, so the last untrusted address is the caller. An
        IPv6 caller is counted by its /64, because one subscriber has all addresses of it.
        """
        address = str(scope["client"][0]) if scope.get("client") else ""
        lines = [value for name, value in scope["headers"] if name == FORWARDED_FOR]
        if not lines:
            return normalise_counted_address(address)
        if not self.is_trusted(address):
            self._unnamed.count_untrusted_call(normalise_counted_address(address))
            return normalise_counted_address(address)
        for named in reversed(b",".join(lines).decode("latin-1").rsplit(",", MAX_PROXIES)):
            if not self.is_trusted(address) or _parse_ip_address(named) is None:
                break
            address = named.strip()
        return normalise_counted_address(address)

    def is_internal_call(self, scope: Scope) -> bool:
        """Return whether the call came straight from this machine or from a trusted proxy.

        A call that a proxy forwarded for another caller is not internal.
        """
        if any(name in _PROXY_HEADERS for name, _ in scope["headers"]):
            return False
        address = _parse_ip_address(scope["client"][0] if scope.get("client") else "")
        return address is not None and (address.is_loopback or self.is_trusted(str(address)))

    def is_trusted(self, name: str) -> bool:
        address = _parse_ip_address(name)
        return address is not None and any(address in network for network in self._trusted)


def _parse_ip_address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name.strip())
    except ValueError:
        return None


@lru_cache(maxsize=10_000)
def normalise_counted_address(name: str) -> str:
    """Return the address, or the network of an IPv6 address, by which a caller is counted."""
    address = _parse_ip_address(name)
    if not isinstance(address, IPv6Address):
        return name
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ip_network((address, _IPV6_COUNTED), strict=False))
