"""Who stands before this gateway: a caller itself, or a proxy that speaks for many."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.types import Scope

FORWARDED_FOR = b"x-forwarded-for"
# A proxy in front adds one of these: the caller is then not the neighbour it seems to be.
_PASSED_ON = (b"forwarded", FORWARDED_FOR, b"via")


class Neighbours:
    """`trusted` names addresses or networks, parted by commas; raises ValueError for others."""

    def __init__(self, trusted: str = "") -> None:
        self._trusted = [ip_network(each.strip()) for each in trusted.split(",") if each.strip()]

    def caller(self, scope: Scope) -> str:
        """The neighbour's address; that of the one behind it where the neighbour is trusted.

        Each proxy adds at the end whom it heard: the last that is not trusted is the caller.
        """
        found = str(scope["client"][0]) if scope.get("client") else ""
        lines = [value for name, value in scope["headers"] if name == FORWARDED_FOR]
        for named in reversed(b",".join(lines).decode("latin-1").split(",")):
            if not self._is_trusted(found) or _address(named) is None:
                break
            found = named.strip()
        return found

    def is_near(self, scope: Scope) -> bool:
        """On this machine or trusted, and not passed on for somebody else."""
        if any(name in _PASSED_ON for name, _ in scope["headers"]):
            return False
        address = _address(scope["client"][0] if scope.get("client") else "")
        return address is not None and (address.is_loopback or self._is_trusted(str(address)))

    def _is_trusted(self, name: str) -> bool:
        address = _address(name)
        return address is not None and any(address in network for network in self._trusted)


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name.strip())
    except ValueError:
        return None
