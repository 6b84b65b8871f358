"""A known load through the gateway: open-loop, seeded, retried as a client should."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from uuid import UUID

import aiohttp

from tests.faults.journal import Attempt, Journal, Outcome
from tests.support.mesh import Mesh

PER_SECOND = 40.0
# More than come while a service is silent for as long as any fault lasts.
MAX_CONCURRENT = 1_000
TOKEN_S, PATIENCE_S = 240.0, 1.0
ANSWER_S = 40.0  # longer than any time-out of the gateway
FIRST_PAUSE, MAX_PAUSE = 0.3, 3.0
# How long an operation is asked again after the load has ended.
LAST_WORD_S = 60.0
NO_ANSWER = 0


@dataclass(frozen=True, slots=True)
class Call:
    """One operation; the `key` stays the same however often it is sent."""

    kind: str
    client: str
    method: str
    path: str
    key: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    refusals: Collection[int] = ()
    personal: bool = True


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """Of an operation that was not answered, `outcome` is unknown and `status` the last one."""

    outcome: Outcome
    status: int
    body: Any
    headers: Mapping[str, str]


class Load:
    """What turns do is chosen by `chance`; see `tests.faults.workload`."""

    def __init__(
        self, mesh: Mesh, journal: Journal, seed: str, per_second: float = PER_SECOND
    ) -> None:
        self.mesh, self.journal, self.per_second = mesh, journal, per_second
        self.chance = random.Random(seed)
        self._ids = random.Random(f"{seed} {time.time_ns()}")
        self._tokens: dict[str, tuple[float, str]] = {}
        self._asked_at: dict[str, float] = {}
        self._signing_in: dict[str, asyncio.Lock] = {}
        self._turns: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._last_word = float("inf")
        self._http: aiohttp.ClientSession

    def new_id(self) -> str:
        """Unlike those of every other run, also of one with the same seed."""
        return str(UUID(int=self._ids.getrandbits(128), version=4))

    @asynccontextmanager
    async def running(self, play: "Play") -> AsyncIterator[None]:
        """Begins turns until the block ends; returns when every operation has its outcome."""
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=ANSWER_S)
        async with aiohttp.ClientSession(
            self.mesh.gateway, connector=connector, timeout=timeout
        ) as self._http:
            beginning = asyncio.create_task(self._begin_turns(play))
            try:
                yield
                self._stopping.set()
                self._last_word = time.monotonic() + LAST_WORD_S
                await beginning
                await asyncio.gather(*self._turns)
            finally:
                for task in (beginning, *self._turns):
                    task.cancel()
                await asyncio.gather(beginning, *self._turns, return_exceptions=True)

    async def _begin_turns(self, play: "Play") -> None:
        due = time.monotonic()
        while not self._stopping.is_set():
            due = max(due + 1 / self.per_second, time.monotonic() - 1)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), max(0, due - time.monotonic()))
            if len(self._turns) >= MAX_CONCURRENT:
                self.journal.not_sent += 1
                continue
            turn = asyncio.create_task(play(self))
            self._turns.add(turn)
            turn.add_done_callback(self._over)

    def _over(self, turn: "asyncio.Task[None]") -> None:
        self._turns.discard(turn)
        if not turn.cancelled() and (error := turn.exception()):
            self.journal.surprises.append(f"the load itself failed: {error!r}")

    async def ask(self, call: Call) -> VerificationResult:
        """The same request with the same key until it is answered, or nobody waits any more."""
        pause = FIRST_PAUSE
        while True:
            answer = await self._try(call)
            if answer.outcome is not Outcome.UNKNOWN or time.monotonic() > self._last_word:
                self.journal.outcomes[answer.outcome] += 1
                return answer
            if answer.status == HTTPStatus.UNAUTHORIZED:
                self._tokens.pop(call.client, None)
            told = float(answer.headers.get("Retry-After", 0))
            await asyncio.sleep(max(min(told, MAX_PAUSE), pause * self.chance.uniform(0.8, 1.2)))
            pause = min(pause * 2, MAX_PAUSE)

    async def _renew(self, client: str) -> None:
        """One asks for all that wait; nobody asks again at once."""
        async with self._signing_in.setdefault(client, asyncio.Lock()):
            if self._asked_at.get(client, 0.0) + PATIENCE_S > time.monotonic():
                return
            self._asked_at[client] = time.monotonic()
            await self.sign_in(client)

    async def sign_in(self, client: str) -> None:
        """A new token, where identity gives one."""
        form = {
            "grant_type": "client_credentials",
            "client_id": client,
            "client_secret": self.mesh.secrets[client],
        }
        call = Call("sign in", client, "POST", "/oauth/token", self.new_id(), personal=False)
        answer = await self._send(call, {}, data=form)
        if answer.outcome is Outcome.ACKNOWLEDGED:
            until = time.monotonic() + TOKEN_S
            self._tokens[client] = (until, answer.body["access_token"])

    async def _try(self, call: Call) -> VerificationResult:
        if self._tokens.get(call.client, (0.0, ""))[0] < time.monotonic():
            await self._renew(call.client)
        token = self._tokens.get(call.client, (0.0, "none"))[1]
        headers = {
            "Authorization": f"Bearer {token}",
            "X-Purpose": "1.001193",
            "X-Officer": "clerk",
            **call.headers,
        }
        if call.method == "POST":
            headers["Idempotency-Key"] = call.key
        return await self._send(call, headers, json=call.body)

    async def _send(
        self, call: Call, headers: Mapping[str, str], **what: Any
    ) -> VerificationResult:
        request_id, began = self.new_id(), time.monotonic()
        told: Mapping[str, str] = {}
        status, body = NO_ANSWER, None
        try:
            async with self._http.request(
                call.method, call.path, headers={**headers, "X-Request-Id": request_id}, **what
            ) as response:
                raw = await response.read()
                status, told = response.status, response.headers
                body = await response.json() if raw and b"json" in _type(told) else None
        except (aiohttp.ClientError, TimeoutError, OSError):
            status, told = NO_ANSWER, {}
        outcome = self._judge(call, status, body)
        ended = time.monotonic()
        self.journal.attempts.append(
            Attempt(
                call.kind,
                request_id,
                status,
                outcome is not Outcome.UNKNOWN,
                ended,
                ended - began,
                call.personal,
                "Retry-After" in told,
            )
        )
        return VerificationResult(outcome, status, body, told)

    def _judge(self, call: Call, status: int, body: Any) -> Outcome:
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return Outcome.ACKNOWLEDGED
        if status in call.refusals:
            return Outcome.REFUSED
        passing = {NO_ANSWER, HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS}
        if status in passing or status > HTTPStatus.INTERNAL_SERVER_ERROR:
            return Outcome.UNKNOWN
        self.journal.surprises.append(f"{call.kind}: {call.method} {call.path}: {status} {body}")
        # An internal error is a surprise that may pass; another refusal stands.
        is_final = status < HTTPStatus.INTERNAL_SERVER_ERROR
        return Outcome.REFUSED if is_final else Outcome.UNKNOWN


# What one turn does.
Play = Callable[[Load], Coroutine[Any, Any, None]]


def _type(headers: Mapping[str, str]) -> bytes:
    return headers.get("Content-Type", "").encode()
