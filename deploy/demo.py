"""The story of one dossier, told through the public gateway only: `make demo`.

Each call is printed with its status and its time, and after it what each service then knows.
The first thing that is not as it should be ends the story with exit code 1.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from deploy.verify_proof import verify

GATEWAY = os.environ.get("GATEWAY", "http://127.0.0.1:8000")
SANDBOX = Path(os.environ.get("SANDBOX_FILE", ".run/sandbox.json"))
VISIBLE_SECONDS = 1.0
COUNTED_SECONDS = 5.0

PROCEDURE = "1.001193"
DESK, DECIDER = "H26.101", "H29.101"


class Untrue(Exception):  # noqa: N818 -- a fact of the story that did not hold
    pass


def must(holds: object, fact: str) -> None:
    if not holds:
        raise Untrue(fact)


class Mesh:
    """Calls through the gateway as one or another client system, each printed."""

    def __init__(self, http: httpx.AsyncClient, secrets: Mapping[str, str]) -> None:
        self._http, self._secrets = http, secrets
        self._tokens: dict[str, str] = {}

    async def sign_in(self, client: str) -> None:
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
        must(answer.status_code == expect, f"{method} {path} answers {expect.value}")
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


async def tell(mesh: Mesh) -> None:
    await _sign_in(mesh)
    await _verify(mesh)
    before = await _indicators(mesh)
    code = await _file(mesh)
    await _handle(mesh, code)
    await _push(mesh)
    await _see_indicators(mesh, before)
    await _refuse(mesh, code)
    await _prove(mesh, code)


async def _sign_in(mesh: Mesh) -> None:
    chapter("Each agency's system gets a token")
    for client in ("onestop-h26", "onestop-h29", "external-h41", "newcomer-h14", "auditor-g22"):
        await mesh.sign_in(client)


async def _verify(mesh: Mesh) -> None:
    chapter("The desk verifies the applicant once, with the population register")
    person = {
        "personal_number": "001090000001",
        "full_name": "NGUYỄN VĂN AN",
        "birth_date": APPLICANT["birth_date"],
    }
    answer = await mesh.call("onestop-h26", "POST", "/identity/v1/verifications", json=person)
    must(answer.json()["result"] == "MATCH", "the applicant is who she says")
    knows("identity", f"{answer.json()['result']}, as of {answer.json()['as_of']}")
    wrong = person | {"full_name": "Trần Thị Bình"}
    answer = await mesh.call("onestop-h26", "POST", "/identity/v1/verifications", json=wrong)
    must(answer.json()["differing"] == ["full_name"], "only the name differs")
    knows("identity", f"{answer.json()['result']}: {answer.json()['differing']}, no true value")
    must("X-Subject" not in answer.headers, "inner headers stay inside")


APPLICANT = {
    "kind": 1,
    "name": "Nguyễn Văn An",
    "personal_number": "001090000001",
    "birth_date": "1990-05-14",
}


async def _file(mesh: Mesh) -> str:
    chapter(f"Birth registration {PROCEDURE} is filed at {DESK}, to be decided at {DECIDER}")
    dossier = {
        "procedure": PROCEDURE,
        "channel": 2,
        "applicant": APPLICANT,
        "helped_by": DESK,
        "received_by": DESK,
        "decided_by": DECIDER,
        "documents": [{"paper": "birth-notice", "name": "Giấy chứng sinh", "kind": "original"}],
    }
    once = {"Idempotency-Key": str(uuid4())}
    answer = await mesh.call(
        "onestop-h26",
        "POST",
        "/dossier/v1/dossiers",
        json=dossier,
        headers=once,
        expect=HTTPStatus.CREATED,
    )
    again = await mesh.call(
        "onestop-h26",
        "POST",
        "/dossier/v1/dossiers",
        json=dossier,
        headers=once,
        expect=HTTPStatus.CREATED,
    )
    code: str = answer.json()["code"]
    must(again.json()["code"] == code, "the same request again is the same dossier")
    knows("dossier", f"{code}, status {answer.json()['status']}, fees {answer.json()['fees']}")
    await _seen(mesh, code, 1)
    return code


async def _handle(mesh: Mesh, code: str) -> None:
    chapter("Fee, reception, handling at the other province, result, return")
    await _move(mesh, "onestop-h26", code, 6)
    dossier = (await mesh.call("onestop-h26", "GET", f"/dossier/v1/dossiers/{code}")).json()
    for fee in dossier["fees"]:
        payment = {
            "fee": fee["code"],
            "amount_vnd": fee["amount_vnd"],
            "reference": f"PAY-{uuid4()}",
            "method": "online",
        }
        await _change(mesh, "onestop-h26", code, "payments", payment)
    await _move(mesh, "onestop-h26", code, 1)
    await _move(mesh, "onestop-h26", code, 2)
    await _move(mesh, "onestop-h26", code, 4)
    await _change(mesh, "onestop-h29", code, "progress", {"step": "civil-status-officer"})
    result = {
        "code": "KQ.G15.000031",
        "number": "12/2026",
        "title": "Giấy khai sinh",
        "electronic": True,
    }
    await _change(mesh, "onestop-h29", code, "results", result)
    await _move(mesh, "onestop-h29", code, 9)
    await _move(mesh, "onestop-h26", code, 10)
    path = f"/sync/v1/dossiers/{code}/timeline"
    timeline = (await mesh.call("onestop-h26", "GET", path)).json()["items"]
    knows("sync", f"timeline of {len(timeline)} steps, statuses {[s['status'] for s in timeline]}")


async def _move(mesh: Mesh, client: str, code: str, to: int) -> None:
    await _change(mesh, client, code, "transitions", {"to": to})
    await _seen(mesh, code, to)


async def _change(mesh: Mesh, client: str, code: str, what: str, body: Any) -> None:
    """Read it for its ETag, then change it."""
    path = f"/dossier/v1/dossiers/{code}"
    etag = (await mesh.call(client, "GET", path, quiet=True)).headers["ETag"]
    answer = await mesh.call(
        client,
        "POST",
        f"{path}/{what}",
        json=body,
        headers={"If-Match": etag},
        expect=HTTPStatus.CREATED if what in CREATING else HTTPStatus.OK,
    )
    shown = answer.json()
    knows("dossier", f"status {shown['status']} {shown['status_name']}, due {shown['due_at']}")


CREATING = {"payments", "results", "progress"}


async def _seen(mesh: Mesh, code: str, status: int) -> None:
    took = await mesh.until(
        "auditor-g22",
        f"/sync/v1/dossiers/{code}",
        f"the country sees status {status}",
        lambda view: view["status"] == status,
        VISIBLE_SECONDS,
    )
    knows("sync", f"the national view shows status {status} after {took * 1_000:.0f} ms")


async def _push(mesh: Mesh) -> None:
    chapter("An external one-stop system pushes three dossiers of its own")
    now = datetime.now(UTC)
    serial = int(now.timestamp()) % 9_000 + 1_000
    rows = [
        {
            "code": f"H41.105-{now:%y%m%d}-{serial + n}",
            "procedure": PROCEDURE,
            "channel": 1,
            "status": 9,
            "source_time": now.isoformat(),
            "received_by": "H41.105",
            "decided_by": "H41.105",
            "filed_at": (now - timedelta(days=3)).isoformat(),
            "received_at": (now - timedelta(days=3)).isoformat(),
            "due_at": (now - timedelta(days=late)).isoformat(),
            "finished_at": (now - timedelta(days=1)).isoformat(),
        }
        for n, late in enumerate((1, 0, 2))
    ]
    for expected in ("accepted", "duplicate"):
        answer = await mesh.call("external-h41", "POST", "/sync/v1/dossiers", json={"rows": rows})
        outcomes = [row["outcome"] for row in answer.json()["results"]]
        must(outcomes == [expected] * 3, f"all three are {expected}, not {outcomes}")
        knows("sync", f"{outcomes}")
    for row in rows:
        await _seen(mesh, row["code"], 9)


async def _indicators(mesh: Mesh) -> dict[str, Any]:
    found = {}
    for name in ("received_by_channel", "on_time"):
        path = f"/sync/v1/indicators/{name}?period={datetime.now(UTC):%Y}"
        found[name] = (await mesh.call("auditor-g22", "GET", path, quiet=True)).json()
    return found


async def _see_indicators(mesh: Mesh, before: dict[str, Any]) -> None:
    chapter("Two indicators have changed")
    for name, old in before.items():
        path = f"/sync/v1/indicators/{name}?period={datetime.now(UTC):%Y}"
        expected = denominator(old) + 4
        took = await mesh.until(
            "auditor-g22",
            path,
            f"{name} counts four more",
            lambda now, expected=expected: denominator(now) == expected,
            COUNTED_SECONDS,
        )
        new = (await mesh.call("auditor-g22", "GET", path)).json()
        knows("sync", f"{name}: {shown(old)} → {shown(new)} after {took * 1_000:.0f} ms")


def denominator(indicator: Mapping[str, Any]) -> int:
    rows: list[dict[str, Any]] = indicator["items"]
    return sum(row["denominator"] for row in rows)


def shown(indicator: Mapping[str, Any]) -> str:
    return ", ".join(f"{row['value']} ({row['denominator']})" for row in indicator["items"])


async def _refuse(mesh: Mesh, code: str) -> None:
    chapter("A system without a right asks for the same dossier")
    answer = await mesh.call(
        "newcomer-h14",
        "GET",
        f"/dossier/v1/dossiers/{code}",
        headers={"X-Dossier": code},
        expect=HTTPStatus.FORBIDDEN,
    )
    knows("gateway", f"{answer.json()['title']}")


async def _prove(mesh: Mesh, code: str) -> None:
    chapter("The ledger proves who read what")
    path = f"/ledger/v1/records?dossier={code}&limit=100"
    records = (await mesh.call("auditor-g22", "GET", path)).json()["items"]
    must(any(r["outcome"] == "refused" for r in records), "the refused call is on record")
    must(len(records) >= 10, "every look at the dossier is on record")
    for record in records:
        path = f"/ledger/v1/records/{record['id']}/proof"
        bundle = (await mesh.call("auditor-g22", "GET", path, quiet=True)).json()
        must(verify(bundle), f"record {record['id']} is proved offline")
    for record in records:
        knows(
            "ledger",
            f"{record['at'][11:23]} {record['client']:13} {record['operation']:44} "
            f"{record['outcome']}",
        )
    print(f"    all {len(records)} records proved offline with the ledger's public key")


def chapter(title: str) -> None:
    print(f"\n{title}")


def knows(service: str, fact: str) -> None:
    print(f"{'':4}{service:9} knows: {fact}")


async def main() -> None:
    secrets = {
        c["client_id"]: c["client_secret"] for c in json.loads(SANDBOX.read_text())["clients"]
    }
    async with httpx.AsyncClient(base_url=GATEWAY, timeout=10) as http:
        await tell(Mesh(http, secrets))
    print("\nAll of it held.")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except (Untrue, OSError, httpx.HTTPError) as failure:
        print(f"\nNot true: {failure or type(failure).__name__}", file=sys.stderr)
        sys.exit(1)
