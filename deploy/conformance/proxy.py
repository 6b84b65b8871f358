"""The proxy between the client system and the sandbox, on a port of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import reduce
from http import HTTPStatus

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from deploy.conformance.catalogue import FaultPlan
from deploy.conformance.faults import Forward, Timing, build_fault
from deploy.conformance.messages import Answer, Request, read_request
from deploy.conformance.recorder import Recorder
from deploy.conformance.sandbox import RequestUnfit, Sandbox, SandboxAway
from deploy.conformance.stage import Stage
from deploy.conformance.trace import Call

_ABORT = "conformance.abort"
_AWAY = Answer(
    HTTPStatus.SERVICE_UNAVAILABLE,
    ((b"content-type", b"application/problem+json"), (b"retry-after", b"2")),
    b'{"type": "about:blank", "title": "The sandbox does not answer", "status": 503}',
)
_UNFIT = Answer(
    HTTPStatus.BAD_REQUEST,
    ((b"content-type", b"application/problem+json"),),
    b'{"type": "about:blank", "title": "The request cannot be passed on", "status": 400}',
)


class AbortableProtocol(HttpToolsProtocol):
    """Let the application break the connection, which ASGI itself has no message for."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {_ABORT: {"abort": self.transport.abort}}


class Proxy:
    """Pass requests on, with the faults of the present step; `show` gets each recorded call."""

    def __init__(
        self,
        sandbox: Sandbox,
        recorder: Recorder,
        stage: Stage,
        *,
        timing: Timing,
        show: Callable[[Call], None],
    ) -> None:
        self._sandbox, self._recorder, self._stage = sandbox, recorder, stage
        self._timing, self._show = timing, show
        self.is_sandbox_away = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await read_request(scope, receive)
        leaving = asyncio.create_task(_wait_until_left(receive))
        try:
            answer = await self._answer(request, leaving)
            if answer is None:
                scope["extensions"][_ABORT]["abort"]()
                # Else the server would answer 500 in place of the application.
                await leaving
            else:
                await _send_answer(answer, send)
        finally:
            leaving.cancel()

    async def _answer(self, request: Request, leaving: "asyncio.Task[None]") -> Answer | None:
        call = self._recorder.open_call(request, self._stage.name)
        plans = self._stage.choose_faults(call) if call else ()
        answer: Answer | None = _AWAY
        try:
            answer = await self._disturb(plans)(request)
        except SandboxAway:
            self.is_sandbox_away = True
        except RequestUnfit:
            answer = _UNFIT
        finally:
            if call:
                kinds = [plan.kind for plan in plans]
                has_left = leaving.done()
                closed = self._recorder.close_call(call, answer, faults=kinds, has_left=has_left)
                self._show(closed)
        return answer

    def _disturb(self, plans: tuple[FaultPlan, ...]) -> Forward:
        def wrap(forward: Forward, plan: FaultPlan) -> Forward:
            return build_fault(plan, self._timing, forward)

        undisturbed: Forward = self._sandbox.forward
        return reduce(wrap, plans, undisturbed)


async def _wait_until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_answer(answer: Answer, send: Send) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": int(answer.status),
            "headers": [*answer.lines, (b"content-length", b"%d" % len(answer.body))],
        }
    )
    await send({"type": "http.response.body", "body": answer.body})


@asynccontextmanager
async def serve_proxy(app: ASGIApp, host: str, port: int) -> AsyncIterator[int]:
    """Serve on the port, any free one for 0, and yield it; raise OSError where it is taken.

    `uvicorn.Server` would take the signals of the process, and exit where the port is taken.
    """
    config = uvicorn.Config(
        app, interface="asgi3", lifespan="off", log_level="critical", proxy_headers=False
    )
    config.load()
    state = ServerState()

    def make_protocol() -> AbortableProtocol:
        return AbortableProtocol(config, state, {})

    server = await asyncio.get_running_loop().create_server(make_protocol, host, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in tuple(state.connections):
            connection.transport.abort()
        await asyncio.gather(*state.tasks, return_exceptions=True)
