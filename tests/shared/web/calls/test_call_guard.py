"""Nothing in a service sees a call, or the end of a body, that is not proved."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from shared.web.calls.call_guard import PROVED_CALL, CallGuard
from shared.web.calls.call_mac import (
    HEADER,
    NO_BODY,
    STREAMED,
    CallParts,
    CallVerifier,
    hash_body,
    read_challenge,
    sign_body,
    sign_call,
)

KEY = b"k" * 64
TARGET = b"/sync/v1/dossiers"


@dataclass
class Service:
    """Reads each body to its end, and keeps what it read whole."""

    calls: CallVerifier = field(default_factory=lambda: CallVerifier(KEY))
    reached: list[Scope] = field(default_factory=list)
    whole: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.reached.append(scope)
        self.whole.append(await Request(scope, receive).body())
        await Response(status_code=204)(scope, receive, send)

    def head(self, body: bytes, *, key: bytes = KEY) -> tuple[dict[str, Any], bytes]:
        """The scope of a call whose body is described so, and its code."""
        call = CallParts("POST", TARGET, b"%d" % len(self.reached), body)
        headers = [(b"x-client", b"c"), (b"x-agency", b"H26")]
        value, code = sign_call(key, call, headers, self.calls.epoch.encode())
        scope = {"type": "http", "method": "POST", "path": TARGET.decode(), "raw_path": TARGET}
        return scope | {"query_string": b"", "headers": [*headers, (HEADER, value)]}, code

    async def ask(self, scope: Scope, pieces: Iterable[bytes]) -> list[Message]:
        sent: list[Message] = []
        left = [*pieces, b""]
        guard = CallGuard(self, calls=self.calls, open_paths={"/healthz"})

        async def receive() -> Message:
            if not left:
                return {"type": "http.disconnect"}
            piece = left.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(left)}

        async def send(message: Message) -> None:
            sent.append(message)

        await guard(scope, receive, send)
        return sent


@pytest.fixture
def service() -> Service:
    return Service()


def cut(body: bytes, at: Iterable[int]) -> list[bytes]:
    places = [0, *sorted(min(place, len(body)) for place in at), len(body)]
    return [body[a:b] for a, b in pairwise(places)]


BODIES = st.binary(max_size=200)
PLACES = st.lists(st.integers(0, 240), max_size=6)


async def test_call_without_a_code_reaches_nothing_and_is_told_the_epoch(service: Service) -> None:
    scope, _ = service.head(NO_BODY)
    sent = await service.ask(scope | {"headers": scope["headers"][:-1]}, [])
    assert sent[0]["status"] == 401
    challenge = dict(sent[0]["headers"])[b"www-authenticate"]
    assert read_challenge(challenge) == service.calls.epoch.encode()
    assert service.reached == []


async def test_code_of_another_key_reaches_nothing(service: Service) -> None:
    scope, _ = service.head(NO_BODY, key=b"o" * 64)
    sent = await service.ask(scope, [])
    assert (sent[0]["status"], service.reached) == (401, [])


async def test_open_path_needs_no_code(service: Service) -> None:
    scope, _ = service.head(NO_BODY)
    await service.ask(scope | {"path": "/healthz", "headers": []}, [])
    assert PROVED_CALL not in service.reached[0]


async def test_call_without_a_body_takes_none(service: Service) -> None:
    scope, _ = service.head(NO_BODY)
    with pytest.raises(HTTPException):
        await service.ask(scope, [b"x"])
    assert service.whole == []


@given(body=BODIES, places=PLACES)
async def test_whole_body_is_read_as_it_was_sent(body: bytes, places: list[int]) -> None:
    service = Service()
    scope, _ = service.head(hash_body(body))
    await service.ask(scope, cut(body, places))
    assert service.whole == [body]


@given(body=BODIES, other=BODIES, places=PLACES)
async def test_other_body_is_never_seen_whole(body: bytes, other: bytes, places: list[int]) -> None:
    service = Service()
    scope, _ = service.head(hash_body(body))
    if body == other:
        return
    with pytest.raises(HTTPException) as refused:
        await service.ask(scope, cut(other, places))
    assert (refused.value.status_code, service.whole) == (401, [])


@given(body=BODIES, places=PLACES)
async def test_streamed_body_is_read_without_its_code(body: bytes, places: list[int]) -> None:
    service = Service()
    scope, code = service.head(STREAMED)
    suffix = sign_body(KEY, code, sha256(body).digest())
    await service.ask(scope, cut(body + suffix, places))
    assert service.whole == [body]


@given(body=BODIES, places=PLACES, data=st.data())
async def test_changed_stream_is_never_seen_whole(
    body: bytes, places: list[int], data: st.DataObject
) -> None:
    service = Service()
    scope, code = service.head(STREAMED)
    good = body + sign_body(KEY, code, sha256(body).digest())
    at = data.draw(st.integers(0, len(good) - 1))
    ways = {
        "a byte is another": good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :],
        "the end is missing": good[:at],
        "a byte is added": good[:at] + b"x" + good[at:],
        "it has no code": body,
    }
    sent = ways[data.draw(st.sampled_from(sorted(ways)))]
    if sent == good:
        return
    with pytest.raises(HTTPException) as refused:
        await service.ask(scope, cut(sent, places))
    assert (refused.value.status_code, service.whole) == (401, [])


async def test_code_of_another_stream_proves_nothing(service: Service) -> None:
    body = b"[]"
    _, other = service.head(STREAMED)
    service.reached.append({})
    scope, _ = service.head(STREAMED)
    with pytest.raises(HTTPException):
        await service.ask(scope, [body, sign_body(KEY, other, sha256(body).digest())])
    assert service.whole == []
