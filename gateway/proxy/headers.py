"""Select the headers that cross the gateway, and add its own (RFC 9110 §7.6, W3C Trace Context)."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from starlette.types import Scope

from gateway.operations.problems import RequestMalformed
from gateway.proxy.problems import CodingNotUnderstood, ExpectationFailed
from shared.codes.persons.personal_numbers import holds_personal_number
from shared.crypto.randomness import draw_uuid
from shared.observability.tracing import start_trace
from shared.texts.translatable import Translatable
from shared.web.calls.internal_headers import (
    CALL_HEADERS,
    CLIENT_PROOF_HEADER,
    LEDGER_HEADERS,
    RECEIPT_HEADER,
    REQUEST_ID_HEADER,
    RIGHT_HEADER,
    TRACE_ID_HEADER,
    RawHeader,
    encode_names,
    read_ledger_headers,
    split_list,
)
from shared.web.idempotency import REPLAYED_HEADER
from shared.web.list_headers import MAX_LIST_CHARACTERS

_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
REQUEST_ID, TRACE_ID = encode_names(REQUEST_ID_HEADER, TRACE_ID_HEADER)
_FOR_THE_LEDGER = frozenset(encode_names(*LEDGER_HEADERS))
# Only the gateway may send these to a service: it sets, validates or frames them itself.
_NOT_FROM_OUTSIDE = (
    _HOP_BY_HOP
    | CALL_HEADERS
    | _FOR_THE_LEDGER
    | {
        b"authorization",  # a service could use the token of the caller at the gateway
        b"content-encoding",
        b"content-length",
        b"cookie",
        b"expect",
        b"forwarded",
        b"host",
        b"traceparent",
        b"x-real-ip",
        REQUEST_ID,
    }
)
_NOT_FROM_INSIDE = (
    _HOP_BY_HOP
    | _FOR_THE_LEDGER
    | {
        b"date",  # the server sets it again
        b"server",
        b"set-cookie",
        *encode_names(RECEIPT_HEADER, REQUEST_ID_HEADER, RIGHT_HEADER),
    }
)
# Of two copies, the upstream service and an intermediary might use different ones.
_ONCE = frozenset(
    {b"content-type", b"idempotency-key", b"if-match", *encode_names(CLIENT_PROOF_HEADER)}
)
_SELDOM_SENT = frozenset({b"transfer-encoding", b"content-encoding", b"expect"})
# This drops names with `_`, which some servers read as `-`.
_NAME = re.compile(rb"[a-z0-9-]+")
_CONTROLS = bytes([*range(0x09), *range(0x0A, 0x20), 0x7F])
_HOST = re.compile(rb"[A-Za-z0-9._~%:\[\]-]+")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")

_REPLAYED = REPLAYED_HEADER.lower().encode()

RawHeaders = Sequence[RawHeader]


class Trace(NamedTuple):
    """The ids of a call: the caller may choose `request_id`; `traceparent` names the trace."""

    request_id: str
    traceparent: str

    @property
    def trace_id(self) -> str:
        return self.traceparent.split("-")[1]

    def list_id_headers(self) -> tuple[RawHeader, RawHeader]:
        """Return both ids as headers of an answer."""
        return (REQUEST_ID, self.request_id.encode()), (TRACE_ID, self.trace_id.encode())


class SplitHeaders(NamedTuple):
    """The headers of an answer, split into those for the caller and those for the ledger.

    `subjects` is None where the service named no persons, or not by keyed hashes; `dossier` is the
    one that the call created, None where the service named none.
    """

    outer: list[tuple[bytes, bytes]]
    subjects: tuple[str, ...] | None
    fields: tuple[str, ...]
    dossier: str | None


def find_header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    for key, value in headers:
        if key == name:
            return value
    return None


def is_replayed(headers: RawHeaders) -> bool:
    """Return whether the service repeats its answer to an earlier call."""
    return find_header(headers, _REPLAYED) is not None


def read_request_trace(scope: Scope) -> Trace:
    """Return the caller's ids where they are well formed, else new ones."""
    sent_id = find_header(scope["headers"], REQUEST_ID)
    parent = find_header(scope["headers"], b"traceparent")
    traceparent = start_trace(parent.decode("latin-1") if parent else None)
    if sent_id is not None and _REQUEST_ID.fullmatch(sent_id):
        request_id = sent_id.decode("ascii")
        # The id is recorded and logged, so one with a personal number is replaced.
        if not holds_personal_number(request_id):
            return Trace(request_id, traceparent)
    return Trace(draw_uuid(), traceparent)


def build_request_headers(scope: Scope, trace: Trace, added: RawHeaders) -> list[RawHeader]:
    """Return the headers for the upstream service; `added` are those of the admission.

    Raise RequestMalformed, CodingNotUnderstood or ExpectationFailed.
    """
    raw: RawHeaders = scope["headers"]
    _require_readable_values(raw)
    _require_one_host(raw, scope["http_version"])
    _reject_ambiguous_headers(raw)
    named = frozenset(map(bytes.lower, _split_sent_list(raw, b"connection")))
    headers = [header for header in raw if _may_enter_mesh(header[0]) and header[0] not in named]
    if scope.get("client"):
        headers.append((b"x-forwarded-for", scope["client"][0].encode()))
    headers += (
        (b"x-forwarded-proto", scope["scheme"].encode()),
        (b"via", b"%b lien-thong" % scope["http_version"].encode()),
        (REQUEST_ID, trace.request_id.encode()),
        (b"traceparent", trace.traceparent.encode()),
    )
    headers += added
    return headers


def find_host_problem(scope: Scope) -> RequestMalformed | None:
    """Return the problem of a request with an ambiguous Host, or None."""
    try:
        _require_one_host(scope["headers"], scope["http_version"])
    except RequestMalformed as problem:
        return problem
    return None


def _require_one_host(raw: RawHeaders, version: str) -> None:
    hosts = [value for name, value in raw if name == b"host"]
    # The server adds an empty Host to an HTTP/1.0 request without one.
    if len(hosts) != 1 or not (_HOST.fullmatch(hosts[0]) or (version != "1.1" and not hosts[0])):
        raise RequestMalformed(Translatable("Send one Host, a name or an address."))


def _reject_ambiguous_headers(raw: RawHeaders) -> None:
    """Reject duplicate framing and content headers: an intermediary might act on the other copy."""
    names = [name for name, _ in raw]
    if not _SELDOM_SENT.isdisjoint(names):
        _require_known_coding(raw)
    once = [name for name in names if name in _ONCE]
    if len(once) != len(set(once)):
        raise RequestMalformed(
            Translatable(
                "Send Content-Type, Idempotency-Key, If-Match and X-Client-Proof once each."
            )
        )


def _require_known_coding(raw: RawHeaders) -> None:
    codings = [value.lower() for name, value in raw if name == b"transfer-encoding"]
    if codings and codings != [b"chunked"]:
        raise RequestMalformed(
            Translatable("Send no other Transfer-Encoding than chunked, and that once.")
        )
    if any(coding.lower() != b"identity" for coding in _split_sent_list(raw, b"content-encoding")):
        raise CodingNotUnderstood
    if any(expected.lower() != b"100-continue" for expected in _split_sent_list(raw, b"expect")):
        raise ExpectationFailed


def split_headers(raw: RawHeaders, request_id: str) -> SplitHeaders:
    """Split the headers of an answer; `raw` has its names in lower case."""
    named = frozenset(map(bytes.lower, split_list(raw, b"connection")))
    dropped = _NOT_FROM_INSIDE | named if named else _NOT_FROM_INSIDE
    outer, inner = [(REQUEST_ID, request_id.encode())], list[RawHeader]()
    for header in raw:
        if header[0] not in dropped:
            outer.append(header)
        elif header[0] in _FOR_THE_LEDGER:
            inner.append(header)
    if not inner:
        return SplitHeaders(outer, None, (), None)
    return SplitHeaders(outer, *read_ledger_headers(inner))


@lru_cache(maxsize=1_000)
def _may_enter_mesh(name: bytes) -> bool:
    barred = name in _NOT_FROM_OUTSIDE or name.startswith(b"x-forwarded-")
    return not barred and _NAME.fullmatch(name) is not None


def _require_readable_values(headers: RawHeaders) -> None:
    """Raise RequestMalformed for unreadable values; the joined test is the fast path."""
    values = b" ".join([value for _, value in headers])
    if values.isascii() and _is_printable(values):
        return
    for name, value in headers:
        if _may_enter_mesh(name):
            _require_text_value(name, value)


def _split_sent_list(raw: RawHeaders, name: bytes) -> list[bytes]:
    """Return the elements of a list header of a request; raise RequestMalformed for a long one."""
    text = b",".join([value for key, value in raw if key == name])
    if len(text) > MAX_LIST_CHARACTERS:
        raise RequestMalformed(
            Translatable(
                "Send the header {name} with at most {count} characters.",
                name=name.decode().title(),
                count=MAX_LIST_CHARACTERS,
            )
        )
    return split_list([(name, text)], name) if text else []


def _is_printable(value: bytes) -> bool:
    """Return whether the value has no control characters; faster than a regular expression."""
    return value.translate(None, _CONTROLS) == value


def _require_text_value(name: bytes, value: bytes) -> None:
    if not _is_printable(value):
        raise RequestMalformed(
            Translatable("Send the header {name} without control characters.", name=name.decode())
        )
    try:
        value.decode()
    except UnicodeDecodeError:
        raise RequestMalformed(
            Translatable("Send the header {name} in UTF-8.", name=name.decode())
        ) from None
