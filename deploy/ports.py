"""TCP ports of this machine's loopback."""

import random
import socket

# Below the ports that the kernel lends to connections: none of them can take an offered one.
OFFERED = range(10_000, 32_768)


def is_taken(port: int) -> bool:
    """True where something listens, or may not be listened on."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections still linger is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return not _binds(probe, port)


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def free_port() -> int:
    """One that is offered to nobody else, here or in another process, while this one lives."""
    for port in random.sample(OFFERED, len(OFFERED)):
        # The UDP port of the same number is the sign that this one is promised.
        with socket.socket(type=socket.SOCK_DGRAM) as sign:
            if _binds(sign, port) and not is_taken(port):
                sign.detach()  # open until the process ends
                return port
    raise OSError("no port is free")


def _binds(probe: socket.socket, port: int) -> bool:
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True
