"""The gateway of a sandbox: prove that it is one, and pass requests on to it."""

from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import BaseModel, ValidationError

from deploy.conformance.messages import Answer, Request

METADATA = "/.well-known/oauth-authorization-server"
_ENDPOINTS = ("token_endpoint", "jwks_uri")
# A secret of a client is accepted in a sandbox alone, and offered nowhere else (decision 36).
_SANDBOX_METHODS = frozenset(["client_secret_basic", "client_secret_post"])
# The gateway itself waits 30 seconds for a push.
_TIMEOUT = httpx.Timeout(40.0, connect=5.0)
_OF_CONNECTION = frozenset(
    [
        *(b"host", b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding"),
        b"upgrade",
        # The kit reads answers, so they come without a coding; lengths are counted anew.
        *(b"accept-encoding", b"content-length", b"expect"),
    ]
)


class NoSandbox(Exception):  # noqa: N818 -- the reason for which nothing is judged
    """The address leads to no gateway of a sandbox, so nothing is sent to it."""


class SandboxAway(Exception):  # noqa: N818 -- as above
    """The sandbox gave no answer during the run."""


class RequestUnfit(Exception):  # noqa: N818 -- as above
    """The request is none that HTTP can pass on, such as `OPTIONS *`."""


class _Metadata(BaseModel):
    issuer: str
    token_endpoint_auth_methods_supported: frozenset[str]


@dataclass
class Sandbox:
    """Pass requests on to the gateway at `url`; use it with `async with`, which proves it."""

    url: str
    issuer: str = ""

    def __post_init__(self) -> None:
        self._http = httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False)

    async def __aenter__(self) -> Self:
        try:
            self.issuer = await self._prove_sandbox()
        except BaseException:
            await self._http.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def _prove_sandbox(self) -> str:
        """Return the issuer; raise NoSandbox unless secrets of clients are offered there."""
        address = httpx.URL(self.url)
        if address.scheme not in {"http", "https"} or not address.host or address.userinfo:
            raise NoSandbox("--url is the address of a gateway, as http://127.0.0.1:8000.")
        try:
            answer = await self._http.get(f"{self.url}{METADATA}")
            metadata = _Metadata.model_validate_json(answer.raise_for_status().content)
        except httpx.HTTPError as error:
            raise NoSandbox(f"{self.url} does not answer: {type(error).__name__}.") from error
        except ValidationError:
            raise NoSandbox(f"{self.url}{METADATA} does not describe a gateway.") from None
        if not metadata.token_endpoint_auth_methods_supported & _SANDBOX_METHODS:
            raise NoSandbox(
                f"{self.url} is no sandbox: it accepts no secrets of clients. Nothing was sent. "
                "Name the gateway of a sandbox, never one in use."
            )
        return metadata.issuer

    async def forward(self, request: Request) -> Answer:
        """Return the answer of the sandbox; raise SandboxAway or RequestUnfit."""
        lines = [(name, value) for name, value in request.lines if name not in _OF_CONNECTION]
        target = request.path + (f"?{request.query}" if request.query else "")
        url = f"{self.url}{target}"
        try:
            outgoing = httpx.Request(request.method, url, headers=lines, content=request.body)
            received = await self._http.send(outgoing, follow_redirects=False)
        except (httpx.InvalidURL, httpx.LocalProtocolError, UnicodeError) as error:
            raise RequestUnfit(type(error).__name__) from error
        except httpx.HTTPError as error:
            raise SandboxAway(type(error).__name__) from error
        answer = Answer(
            status=received.status_code,
            lines=tuple(
                (name.lower(), value)
                for name, value in received.headers.raw
                # The body is decoded, should it come with a coding after all.
                if name.lower() not in _OF_CONNECTION | {b"content-encoding"}
            ),
            body=received.content,
        )
        if request.path == METADATA and received.is_success:
            return self._lead_to_kit(answer, request.headers.get("host", ""))
        return answer

    def _lead_to_kit(self, answer: Answer, host: str) -> Answer:
        """Name the kit where clients look for endpoints; the issuer, which they sign, stays."""
        metadata: dict[str, Any] = answer.read_object()
        for name in _ENDPOINTS:
            if str(metadata.get(name)).startswith(self.issuer):
                metadata[name] = f"http://{host}{metadata[name].removeprefix(self.issuer)}"
        return answer.with_object(metadata)
