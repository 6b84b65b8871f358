"""A client system of an agency that keeps all rules, or breaks one of them by a bad habit.

`python -m tests.deploy.conformance.agency_system ACT COUNT` acts so often, at MESH_URL,
as CLIENT_ID with CLIENT_SECRET.
"""

import asyncio
import itertools
import os
import random
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

FIRST_PAUSE_S = 0.55
MAX_ATTEMPTS = 6
PATIENCE_S = 40.0
KNOWN_OF_A_PAGE = frozenset(["items", "next"])
KNOWN_OF_RESULTS = frozenset(["results"])
PERSON = {
    "personal_number": "001090000001",
    "full_name": "Nguyễn Văn An",
    "birth_date": "1990-05-14",
}
APPLICANT = {"kind": 1, "name": "Nguyễn Văn An", "personal_number": "001090000001"}


class StrangeAnswer(Exception):  # noqa: N818 -- a bad habit of some systems
    """An answer held a member that the system does not know."""


@dataclass
class AgencySystem:
    """`habit` names the one bad habit, None a system that keeps all rules."""

    http: httpx.AsyncClient
    client: str
    secret: str
    habit: str | None = None
    dossiers: list[str] = field(default_factory=list)
    _token: str | None = None
    _serial: Iterator[int] = field(
        default_factory=lambda: itertools.count(random.randrange(1_000, 9_000))
    )

    def has(self, *habits: str) -> bool:
        return self.habit in habits

    async def act(self, name: str, count: int) -> None:
        acts = {
            "verify": self._verify,
            "file": self._file,
            "change": self._change,
            "list": self._list,
            "push": self._push,
            "progress": self._report_progress,
        }
        if name == "push" and self.has("crowd"):
            await self._get_token()
            await asyncio.gather(*(self._push() for _ in range(count)))
            return
        for _ in range(count):
            await acts[name]()

    async def _get_token(self) -> str:
        if self._token is None or self.has("token-for-each-call"):
            form = {"grant_type": "client_credentials"}
            answer = await self.http.post(
                "/oauth/token", data=form, auth=(self.client, self.secret)
            )
            self._token = answer.raise_for_status().json()["access_token"]
        return self._token

    async def _send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Return the answer after the repeats that are due; raise TimeoutError after the last."""
        pause, is_renewed, sent = FIRST_PAUSE_S, False, dict(headers or {})
        for _ in range(MAX_ATTEMPTS):
            answer = await self._send_once(method, path, headers=sent, json=json, params=params)
            status = answer.status_code if answer else None
            if status == 401 and (not is_renewed or self.has("renews-for-ever")):
                if self.has("gives-up-on-401"):
                    break
                is_renewed = True
                if not self.has("keeps-a-refused-token"):
                    self._token = None
            elif status in {429, 503} and answer:
                if self.has("gives-up-on-503"):
                    break
                await asyncio.sleep(
                    0 if self.has("no-wait") else int(answer.headers["retry-after"])
                )
            elif status in {None, 408, 502, 504} and not _is_final(answer):
                if self.has("gives-up"):
                    break
                await self._prepare_repeat(pause, sent, json)
                pause *= 1 if self.has("even-pauses") else 2
            elif answer and not (answer.is_client_error and self.has("repeats-refusals")):
                return answer
        raise TimeoutError

    async def _prepare_repeat(self, pause: float, sent: dict[str, str], json: Any) -> None:
        if self.has("new-key-for-a-repeat"):
            sent["Idempotency-Key"] = str(uuid4())
        if self.has("new-body-for-a-repeat"):
            json["summary"] = datetime.now(UTC).isoformat()
        await asyncio.sleep(0 if self.has("no-pause") else pause)

    async def _send_once(self, method: str, path: str, **request: Any) -> httpx.Response | None:
        request["headers"]["Authorization"] = f"Bearer {await self._get_token()}"
        timeout = 0.1 if self.has("impatient") else PATIENCE_S
        with suppress(httpx.TransportError):
            return await self.http.request(method, path, timeout=timeout, **request)
        return None

    def _explain(self, purpose: str) -> dict[str, str]:
        headers = {"X-Purpose": purpose, "X-Officer": "officer-17"}
        if self.has("no-officer"):
            del headers["X-Officer"]
        if self.has("wrong-purpose"):
            headers["X-Purpose"] = "9.999999"
        if self.has("number-in-referer"):
            headers["Referer"] = "https://motcua.example/tra-cuu?so=001090000001"
        return headers

    def _make_key(self) -> dict[str, str]:
        if self.has("no-key"):
            return {}
        key = f"key-of-{self.client}" if self.has("one-key") else str(uuid4())
        return {"Idempotency-Key": key}

    async def _verify(self) -> None:
        person = PERSON | ({"so_dien_thoai": "0"} if self.has("wrong-form") else {})
        headers = self._explain("1.001193")
        await self._send("POST", "/identity/v1/verifications", headers=headers, json=person)

    async def _file(self) -> None:
        filing = {
            "procedure": "2.000815",
            "channel": 1,
            "received_by": "H26.101",
            "decided_by": "H26.101",
            "applicant": APPLICANT,
            "summary": f"{next(self._serial)}",
        }
        headers = self._explain("2.000815") | self._make_key()
        answer = await self._send("POST", "/dossier/v1/dossiers", headers=headers, json=filing)
        if answer.is_success:
            self.dossiers.append(answer.json()["code"])

    async def _change(self) -> None:
        """Ask for papers, or take the dossier up again: each status may follow the other."""
        if not self.dossiers:
            await self._file()
        path = f"/dossier/v1/dossiers/{self.dossiers[-1]}"
        dossier = await self._send("GET", path, headers=self._explain("2.000815"))
        key = self._make_key()
        answer = await self._move(path, dossier, key)
        if answer.status_code in {412, 428}:
            if not self.has("does-not-read-again"):
                dossier = await self._send("GET", path, headers=self._explain("2.000815"))
            await self._move(path, dossier, key if self.has("same-key") else self._make_key())

    async def _move(
        self, path: str, dossier: httpx.Response, key: Mapping[str, str]
    ) -> httpx.Response:
        headers = self._explain("2.000815") | {"If-Match": dossier.headers["etag"], **key}
        if self.has("no-if-match"):
            del headers["If-Match"]
        if self.has("any-if-match"):
            headers["If-Match"] = "*"
        body = {"to": 5, "reason": "papers-missing"}
        if dossier.json()["status"] == 5:
            body = {"to": 4}
        return await self._send("POST", f"{path}/transitions", headers=headers, json=body)

    async def _list(self) -> None:
        path, filters, cursor = "/dossier/v1/procedures", {"q": "dang ky"}, None
        if self.client.startswith("external"):
            path, filters = "/sync/v1/dossiers", {"agency": "H41"}
        for number in range(MAX_ATTEMPTS):
            params = filters | ({"after": cursor} if cursor else {})
            if self.has("other-filters") and cursor:
                params["q"] = "khai sinh"
            page = await self._send("GET", path, params=params)
            content = page.json()
            self._know(content, KNOWN_OF_A_PAGE)
            cursor = content.get("next")
            if self.has("makes-cursors-up"):
                cursor = f"page{number}"
            if self.has("same-page"):
                cursor = None if number else ""
            if cursor is None or self.has("first-page-only") or page.is_client_error:
                return
            if cursor == "":
                cursor = None

    def _know(self, content: Mapping[str, Any], known: frozenset[str]) -> None:
        if self.has("knows-all-members") and not set(content) <= known:
            raise StrangeAnswer

    def _make_row(self, **members: Any) -> dict[str, Any]:
        now = datetime.now(UTC)
        begun = (now - timedelta(days=1)).isoformat()
        row = {
            "code": f"H41-{now:%y%m%d}-{next(self._serial)}",
            "procedure": "1.001193",
            "channel": 1,
            "status": 2,
            "source_time": now.isoformat(),
            "received_by": "H41",
            "decided_by": "H41",
            "filed_at": begun,
            "received_at": begun,
        }
        return row | members

    async def _push(self) -> None:
        await self._push_rows([self._make_row(), self._make_row()])

    async def _push_rows(self, rows: list[dict[str, Any]]) -> None:
        answer = await self._push_to("dossiers", rows)
        content = answer.json()
        self._know(content, KNOWN_OF_RESULTS)
        if self.has("repeats-strange-answers") and not set(content) <= KNOWN_OF_RESULTS:
            await self._push_to("dossiers", rows)
        results = zip(rows, content.get("results", []), strict=False)
        refused = [row for row, result in results if result["outcome"] == "refused"]
        if not refused:
            return
        if self.has("repeats-whole-push"):
            await self._push_to("dossiers", rows)
        elif self.has("repeats-refused-rows"):
            await self._push_to("dossiers", refused)
        else:
            earlier = (datetime.now(UTC) - timedelta(days=2)).isoformat()
            await self._push_to("dossiers", [row | {"filed_at": earlier} for row in refused])

    async def _push_to(self, kind: str, rows: list[dict[str, Any]]) -> httpx.Response:
        body = {"rows": rows}
        return await self._send("POST", f"/sync/v1/{kind}", headers=self._make_key(), json=body)

    async def _report_progress(self) -> None:
        row = self._make_row()
        progress = {"code": row["code"], "status": 4, "step": "desk-3"}
        later = datetime.fromisoformat(row["source_time"]) + timedelta(seconds=1)
        if self.has("goes-back"):
            later -= timedelta(hours=1)
        moves = [("dossiers", row), ("progress", progress | {"source_time": later.isoformat()})]
        if self.has("progress-first"):
            moves.reverse()
        for kind, moved in moves:
            await self._push_to(kind, [moved])


def _is_final(answer: httpx.Response | None) -> bool:
    return answer is not None and answer.json()["type"] == "/problems/subject-not-named"


async def main(act: str, count: int) -> None:
    async with httpx.AsyncClient(base_url=os.environ["MESH_URL"], trust_env=False) as http:
        system = AgencySystem(http, os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])
        await system.act(act, count)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
