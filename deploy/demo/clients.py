"""Calls through the public gateway as one or another client system, each printed."""

import asyncio
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import httpx

PROCEDURE = "1.001193"


class Untrue(Exception):  # noqa: N818 -- a fact of the story that did not hold
    pass


def must(holds: object, fact: str) -> None:
    if not holds:
        raise Untrue(fact)


class Clients:
    """Calls through the gateway as one or another client system, each printed."""

    def __init__(self, http: httpx.AsyncClient, secrets: Mapping[str, str]) -> None:
        self._http, self._secrets = http, secrets
        self._tokens: dict[str, str] = {}

    async def sign_in(self, client: str) -> None:
        must(client in self._secrets, f"the sandbox has the client {client}")
        form = {
            "grant_type": "client_credentials",
            "client_id": client,
            "client_secret": self._secrets[client],
        }
        answer = await self._timed(client, "POST", "/oauth/token", data=form)
        must(answer.status_code == HTTPStatus.OK, f"{client} gets a token")
        self._tokens[client] = answer.json()["access_token"]

    async def call(
        self,
        client: str,
        method: str,
        path: str,
        *,
        expect: HTTPStatus = HTTPStatus.OK,
        quiet: bool = False,
        headers: Mapping[str, str] | None = None,
        **what: Any,
    ) -> httpx.Response:
        sent = {
            "Authorization": f"Bearer {self._tokens[client]}",
            "X-Purpose": PROCEDURE,
            "X-Officer": "officer-17",
        } | dict(headers or {})
        if method == "POST":
            sent.setdefault("Idempotency-Key", str(uuid4()))
        answer = await self._timed(client, method, path, quiet=quiet, headers=sent, **what)
        must(
            answer.status_code == expect,
            f"{method} {path} answers {expect.value}, not {answer.status_code}",
        )
        return answer

    async def _timed(
        self, client: str, method: str, path: str, *, quiet: bool = False, **what: Any
    ) -> httpx.Response:
        started = time.perf_counter()
        answer = await self._http.request(method, path, **what)
        if not quiet:
            took = (time.perf_counter() - started) * 1_000
            print(f"  {client:13} {method:4} {path:58} {answer.status_code}  {took:6.1f} ms")
        if answer.is_server_error or (answer.is_client_error and not quiet):
            print(f"{'':16}{answer.text[:300]}")
        return answer

    async def until(self, client: str, path: str, fact: str, check: Any, within: float) -> float:
        """Seconds until `check(answer)` holds; Untrue after `within`."""
        started = time.perf_counter()
        while True:
            sent = {"Authorization": f"Bearer {self._tokens[client]}"}
            answer = await self._http.get(path, headers=sent)
            took = time.perf_counter() - started
            if answer.is_success and check(answer.json()):
                return took
            must(took < within, f"{fact} within {within} s; last answer {answer.text[:300]}")
            await asyncio.sleep(0.01)


def chapter(title: str) -> None:
    print(f"\n{title}")


def knows(service: str, fact: str) -> None:
    print(f"{'':4}{service:9} knows: {fact}")
