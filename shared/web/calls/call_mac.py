"""A message authentication code (MAC) proves one call of the gateway to one service, once.

Only the gateway and the service have the key. The MAC is a keyed BLAKE2b (RFC 7693) over all parts
that determine the effect of the call: method, target, body, and the headers of `COVERED`, among
them the client, its agency, purpose, officer, dossier and the signed right. The service generates a
random epoch, renews it often, and stores each call of the present epoch. So a MAC is valid once, in
one process, for at most `EPOCH_S`, independent of clocks. A MAC of another epoch is answered
with a challenge that names the present one, as in HTTP Digest (RFC 7616).
"""

import hmac
import secrets
import time
from collections.abc import Callable, Iterable
from hashlib import blake2b, sha256
from http import HTTPStatus
from typing import NamedTuple

from starlette.types import Scope

from shared.texts.translatable import Translatable
from shared.web.calls.internal_headers import (
    AGENCY_HEADER,
    BODY_LENGTH_HEADER,
    CALL_MAC_HEADER,
    CLIENT_HEADER,
    CLIENT_PROOF_HEADER,
    EXPLAINING_HEADERS,
    REQUEST_ID_HEADER,
    RIGHT_HEADER,
    encode_names,
)
from shared.web.problems import Problem

HEADER, BODY_LENGTH = encode_names(CALL_MAC_HEADER, BODY_LENGTH_HEADER)
CLIENT, AGENCY = encode_names(CLIENT_HEADER, AGENCY_HEADER)
SCHEME = "Call-MAC"
COVERED = (
    CLIENT,
    AGENCY,
    BODY_LENGTH,
    *encode_names(RIGHT_HEADER, *EXPLAINING_HEADERS, REQUEST_ID_HEADER, CLIENT_PROOF_HEADER),
    b"authorization",
    b"content-type",
    b"idempotency-key",
    b"if-match",
    b"if-none-match",
    b"x-forwarded-host",
)
# The description of the body in the header; a complete body is described by its SHA-256 in hex.
NO_BODY, STREAMED = b"-", b"stream"
# The MAC of a streamed body follows its last byte.
SUFFIX_BYTES = 32
EPOCH_S = 30.0
# About 8 MB, enough for 1,600 calls a second; at higher rates an epoch ends sooner.
MAX_EPOCH_CALLS = 50_000

_COVERED = frozenset(COVERED)
# Several lines are one list (RFC 9110 §5.3), and the MAC covers all of them.
_LISTS = frozenset({b"if-none-match"})
_PARTS = 4

CallHeaders = Iterable[tuple[bytes, bytes]]


class CallNotProved(Problem):
    """The MAC is missing or invalid; `epoch` is the present one, which is not secret."""

    status = HTTPStatus.UNAUTHORIZED
    title = "Only the gateway may call this service"
    type = "/problems/call-not-proved"
    advice = "Send the call to the gateway, with an access token."

    def __init__(self, detail: Translatable | None = None, *, epoch: str | None = None) -> None:
        super().__init__(detail)
        challenge = f'{SCHEME} epoch="{epoch}"' if epoch else SCHEME
        self.headers = {"WWW-Authenticate": challenge}


class HeaderRepeatedError(ValueError):
    """A covered header occurs twice, and two parsers could use different values."""


class CallParts(NamedTuple):
    """The parts of a call besides headers. `call_id` is unique."""

    method: str
    target: bytes
    call_id: bytes
    body: bytes


class ProvedCall(NamedTuple):
    """A verified call. A public operation has no client."""

    client: str | None
    agency: str | None
    body: bytes
    code: bytes


def hash_body(body: bytes) -> bytes:
    return sha256(body).hexdigest().encode()


def sign_call(
    key: bytes, call: CallParts, headers: CallHeaders, epoch: bytes
) -> tuple[bytes, bytes]:
    """Return the value of the header and the MAC; raise HeaderRepeatedError."""
    code = _sign_head(key, call, _select_covered(headers), epoch)
    value = b" ".join((call.call_id, epoch, call.body, code.hex().encode()))
    return value, code


def sign_body(key: bytes, code: bytes, digest: bytes) -> bytes:
    """Return the MAC of a streamed body, which is valid only for this call."""
    return _compute_mac(key, b"body" + code + digest)


def read_challenge(value: bytes) -> bytes | None:
    """Return the epoch of a challenge, empty if it names none; None for another scheme."""
    scheme, _, rest = value.partition(b" ")
    if scheme != SCHEME.encode():
        return None
    return rest.removeprefix(b'epoch="').removesuffix(b'"')


def read_target(scope: Scope) -> bytes:
    """Return path and query as sent."""
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return path + b"?" + query if query else path


class CallVerifier:
    """Verify calls to this process, and accept each MAC once."""

    def __init__(
        self,
        key: bytes,
        *,
        epoch_s: float = EPOCH_S,
        max_calls: int = MAX_EPOCH_CALLS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key, self._epoch_s, self._max_calls, self._clock = key, epoch_s, max_calls, clock
        self._used: set[bytes] = set()
        self._begin_epoch()

    @property
    def epoch(self) -> str:
        """The present epoch; one that has expired or is full is replaced."""
        if len(self._used) >= self._max_calls or self._clock() >= self._ends:
            self._begin_epoch()
        return self._epoch

    def _begin_epoch(self) -> None:
        """Replace the epoch, which invalidates all MACs of the old one."""
        self._epoch = secrets.token_urlsafe(12)
        self._used.clear()
        self._ends = self._clock() + self._epoch_s

    def verify(self, scope: Scope) -> ProvedCall:
        """Return the call of which `scope` is the head; raise CallNotProved."""
        present = self.epoch
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        parts = b"".join([value for name, value in headers if name == HEADER]).split(b" ")
        if len(parts) != _PARTS:
            raise CallNotProved(epoch=present)
        call_id, epoch, body, received_code = parts
        call = CallParts(scope["method"], read_target(scope), call_id, body)
        try:
            covered = _select_covered(headers)
        except HeaderRepeatedError:
            raise CallNotProved(epoch=present) from None
        code = _sign_head(self._key, call, covered, epoch)
        if not hmac.compare_digest(code.hex().encode(), received_code):
            raise CallNotProved(epoch=present)
        if epoch != present.encode() or call_id in self._used:
            raise CallNotProved(epoch=present)
        self._used.add(call_id)
        values = dict(covered)
        return ProvedCall(
            _decode_value(values.get(CLIENT)), _decode_value(values.get(AGENCY)), body, code
        )

    def sign_body(self, call: ProvedCall, digest: bytes) -> bytes:
        return sign_body(self._key, call.code, digest)


def _select_covered(headers: CallHeaders) -> list[tuple[bytes, bytes]]:
    """Return the covered headers sorted by name, because a proxy may reorder them."""
    covered = sorted([header for header in headers if header[0] in _COVERED])
    if len(dict(covered)) < len(covered):
        _require_list_headers(covered)
    return covered


def _require_list_headers(covered: list[tuple[bytes, bytes]]) -> None:
    single = [name for name, _ in covered if name not in _LISTS]
    if len(set(single)) < len(single):
        raise HeaderRepeatedError


def _sign_head(
    key: bytes, call: CallParts, covered: list[tuple[bytes, bytes]], epoch: bytes
) -> bytes:
    """Return the MAC over one line for each part; no part can contain a line end in HTTP."""
    lines = [b"%b: %b" % header for header in covered]
    parts = (b"head", call.method.encode(), call.target, call.call_id, epoch, call.body, *lines)
    return _compute_mac(key, b"\n".join(parts))


def _compute_mac(key: bytes, message: bytes) -> bytes:
    """Return a keyed BLAKE2b, which costs a third of an HMAC when processor caches are cold."""
    return blake2b(message, digest_size=SUFFIX_BYTES, key=key).digest()


def _decode_value(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
