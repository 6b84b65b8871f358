"""The answers of a sandbox that a client system meets, without rights and people."""

import asyncio
import base64
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

ITEMS = [{"code": f"2.00{number:04}"} for number in range(9)]
PUSH_S = 0.15


def refuse(status: int, name: str) -> JSONResponse:
    body = {"type": f"/problems/{name}", "title": name, "status": status}
    return JSONResponse(body, status, media_type="application/problem+json")


@dataclass
class FakeSandbox:
    """`methods` are those by which clients may prove themselves."""

    methods: list[str] = field(default_factory=lambda: ["private_key_jwt", "client_secret_basic"])
    requests: list[str] = field(default_factory=list)
    dossiers: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: dict[str, str] = field(default_factory=dict)
    keys: dict[str, tuple[bytes, Response]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def build_application(self) -> Starlette:
        routes = {
            ("GET", "/.well-known/oauth-authorization-server"): self._describe,
            ("POST", "/oauth/token"): self._issue_token,
            ("POST", "/identity/v1/verifications"): self._verify,
            ("GET", "/dossier/v1/procedures"): self._list_items,
            ("GET", "/sync/v1/dossiers"): self._list_items,
            ("POST", "/dossier/v1/dossiers"): self._file,
            ("GET", "/dossier/v1/dossiers/{code}"): self._read,
            ("POST", "/dossier/v1/dossiers/{code}/transitions"): self._move,
            ("POST", "/sync/v1/dossiers"): self._push,
            ("POST", "/sync/v1/progress"): self._push_progress,
        }
        return Starlette(
            routes=[
                Route(path, handler, methods=[method]) for (method, path), handler in routes.items()
            ]
        )

    async def _describe(self, request: Request) -> Response:
        self.requests.append("metadata")
        issuer = str(request.base_url).rstrip("/")
        return JSONResponse(
            {
                "issuer": issuer,
                "token_endpoint": f"{issuer}/oauth/token",
                "jwks_uri": f"{issuer}/.well-known/jwks.json",
                "token_endpoint_auth_methods_supported": self.methods,
            }
        )

    async def _issue_token(self, request: Request) -> Response:
        credentials = request.headers["authorization"].removeprefix("Basic ")
        client = base64.b64decode(credentials).decode().partition(":")[0]
        token = jwt.encode({"sub": client, "jti": str(uuid4())}, "k" * 32, "HS256")
        return self._answer({"access_token": token, "expires_in": 600})

    async def _verify(self, request: Request) -> Response:
        if problem := self._refuse_purpose(request):
            return problem
        known = {"personal_number", "full_name", "birth_date"}
        if not set(await request.json()) <= known:
            return refuse(422, "invalid-request")
        return self._answer({"result": "MATCH"})

    def _refuse_purpose(self, request: Request) -> Response | None:
        if not {"x-purpose", "x-officer"} <= set(request.headers):
            return refuse(400, "purpose-missing")
        if request.headers["x-purpose"] == "9.999999":
            return refuse(403, "purpose-unknown")
        return None

    async def _list_items(self, request: Request) -> Response:
        query = request.query_params
        named = query["q"] if "q" in query else query["agency"]
        word, _, start = query.get("after", f"{named}_0").partition("_")
        if word != named or not start.isdigit():
            return refuse(400, "cursor-unreadable")
        end = int(start) + int(query.get("limit", "3"))
        following = f"{word}_{end}" if end < len(ITEMS) else None
        return self._answer({"items": ITEMS[int(start) : end], "next": following})

    async def _file(self, request: Request) -> Response:
        if problem := self._refuse_purpose(request):
            return problem
        body = await request.body()
        if replayed := self._replay(request, body):
            return replayed
        code = f"H26.101-261130-{next(self._numbers):04}"
        self.dossiers[code] = {"code": code, "status": 2, "version": 1}
        return self._store(request, body, self._show(code, 201))

    async def _read(self, request: Request) -> Response:
        return self._show(request.path_params["code"], 200)

    async def _move(self, request: Request) -> Response:
        body = await request.body()
        if replayed := self._replay(request, body):
            return replayed
        dossier = self.dossiers[request.path_params["code"]]
        tag = request.headers.get("if-match")
        if tag is None:
            return refuse(428, "precondition-required")
        if tag not in {"*", f'"{dossier["version"]}"'}:
            return refuse(412, "changed-meanwhile")
        dossier |= {"status": json.loads(body)["to"], "version": dossier["version"] + 1}
        return self._store(request, body, self._show(dossier["code"], 200))

    async def _push(self, request: Request) -> Response:
        body = await request.body()
        if replayed := self._replay(request, body):
            return replayed
        await asyncio.sleep(PUSH_S)
        results = []
        for row in json.loads(body)["rows"]:
            outcome = "updated" if row["code"] in self.rows else "accepted"
            self.rows[row["code"]] = row["source_time"]
            results.append({"code": row["code"], "outcome": outcome})
        return self._store(request, body, self._answer({"results": results}))

    async def _push_progress(self, request: Request) -> Response:
        rows = (await request.json())["rows"]
        results = [
            {"code": row["code"], "outcome": "updated" if row["code"] in self.rows else "held"}
            for row in rows
        ]
        return self._answer({"results": results})

    def _show(self, code: str, status: int) -> Response:
        dossier = self.dossiers[code]
        headers = {"etag": f'"{dossier["version"]}"'}
        return self._answer(dossier, status, headers)

    def _answer(
        self,
        content: Mapping[str, Any],
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        return JSONResponse(content, status, {"x-request-id": uuid4().hex, **(headers or {})})

    def _replay(self, request: Request, body: bytes) -> Response | None:
        stored = self.keys.get(request.headers.get("idempotency-key", ""))
        if stored is None:
            return None
        return stored[1] if stored[0] == body else refuse(422, "idempotency-key-reused")

    def _store(self, request: Request, body: bytes, answer: Response) -> Response:
        if key := request.headers.get("idempotency-key"):
            self.keys[key] = (body, answer)
        return answer
