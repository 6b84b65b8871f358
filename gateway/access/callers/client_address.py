"""Who stands before this gateway: a caller itself, or a proxy that speaks for many."""

import time
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import structlog
from prometheus_client import Counter
from starlette.types import Scope

FORWARDED_FOR = b"x-forwarded-for"
# A proxy in front adds one of these: the caller is then not the neighbour it seems to be.
_PASSED_ON = (b"forwarded", FORWARDED_FOR, b"via")


log = structlog.get_logger()

FORWARDED_BY_UNNAMED = Counter(
    "forwarded_by_unnamed_total", "Calls with X-Forwarded-For from a neighbour that is not trusted"
)
_IPV6_COUNTED = 64
_WARN_AFTER, _WARN_EVERY_S = 100, 600.0


class UnnamedProxies:
    """Warns that many callers may be taken for one, because their proxy is not named."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._calls, self._begun = 0, clock()

    def note(self, neighbour: str) -> None:
        FORWARDED_BY_UNNAMED.inc()
        now = self._clock()
        if now - self._begun > _WARN_EVERY_S:
            self._calls, self._begun = 0, now
        self._calls += 1
        if self._calls == _WARN_AFTER:
            log.warning(
                "proxy_not_trusted",
                neighbour=neighbour,
                advice="Name it in TRUSTED_PROXIES, or all its callers share one quota.",
            )


class Neighbours:
    """`trusted` names addresses or networks, parted by commas; raises ValueError for others."""

    def __init__(self, trusted: str = "") -> None:
        self._trusted = [ip_network(each.strip()) for each in trusted.split(",") if each.strip()]
        self._unnamed = UnnamedProxies()

    def caller(self, scope: Scope) -> str:
        """Return what counts as the caller: the neighbour, or the one behind a trusted neighbour.

        Each proxy adds at the end the address that it saw: the last untrusted one is the caller.
        An IPv6 caller counts by its /64, because one subscriber has all addresses of it.
        """
        found = str(scope["client"][0]) if scope.get("client") else ""
        lines = [value for name, value in scope["headers"] if name == FORWARDED_FOR]
        if not lines:
            return count_as(found)
        if not self.is_trusted(found):
            self._unnamed.note(count_as(found))
            return count_as(found)
        for named in reversed(b",".join(lines).decode("latin-1").split(",")):
            if not self.is_trusted(found) or _address(named) is None:
                break
            found = named.strip()
        return count_as(found)

    def is_near(self, scope: Scope) -> bool:
        """On this machine or trusted, and not passed on for somebody else."""
        if any(name in _PASSED_ON for name, _ in scope["headers"]):
            return False
        address = _address(scope["client"][0] if scope.get("client") else "")
        return address is not None and (address.is_loopback or self.is_trusted(str(address)))

    def is_trusted(self, name: str) -> bool:
        address = _address(name)
        return address is not None and any(address in network for network in self._trusted)


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name.strip())
    except ValueError:
        return None


@lru_cache(maxsize=10_000)
def count_as(name: str) -> str:
    """Return the address, or the network of an IPv6 address, by which a caller is counted."""
    address = _address(name)
    if not isinstance(address, IPv6Address):
        return name
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ip_network((address, _IPV6_COUNTED), strict=False))
