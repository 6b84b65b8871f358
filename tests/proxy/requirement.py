"""A requirement of HTTP, with its section and the call that proves it."""

from dataclasses import dataclass

from tests.proxy.harness import CALLER, SIZED, Case, passes, post

KEYS, HEALTH, KEY_SET = b"/.well-known/right-keys.json", b"/healthz", b"/.well-known/jwks.json"
NO_STORE = {"cache-control": b"no-store"}
CRLF = b"\r\n"
END = b"0\r\n\r\n"
CODED = ((415, "refused"),)


@dataclass(frozen=True)
class Requirement:
    """`present` are headers that the first answer has, with any value."""

    id: str
    sentence: str
    case: Case
    present: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.id


def own(
    status: int,
    target: bytes = HEALTH,
    fields: bytes = b"",
    *,
    method: bytes = b"GET",
    **more: object,
) -> Case:
    """Return a read of what the gateway answers itself, without a token."""
    sent = b"%b %b HTTP/1.1\r\nHost: mesh\r\n%b\r\n" % (method, target, fields)
    return Case(f"{method!r} {target!r} {fields!r}", sent, (status,), **more)  # type: ignore[arg-type]


def ask(sent: bytes, **more: object) -> Case:
    return passes("call", sent, **more)


def refuse(sent: bytes, status: int = 400, **more: object) -> Case:
    told: dict[str, object] = {"recorded": ((status, "refused"),)}
    return Case("refused", sent, (status,), **(told | more))  # type: ignore[arg-type]


def coded(value: bytes) -> bytes:
    return post(b"Content-Encoding: " + value + CRLF + SIZED, b"{}")


def of_method(method: bytes, target: bytes, allow: bytes) -> Case:
    sent = method + b" " + target + b" HTTP/1.1\r\n" + CALLER + CRLF
    return Case("method", sent, (405,), outside={"allow": allow})
