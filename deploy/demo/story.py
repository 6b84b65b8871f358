"""One dossier from the applicant's desk to the proof of each access to it."""

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from deploy.demo.clients import PROCEDURE, Clients, chapter, knows, must
from deploy.demo.proof import is_proved, trusted_key
from shared.codes.time import utc_now

VISIBLE_S = 1.0
COUNTED_S = 5.0
LOOKS_AT_LEAST = 10

DESK, DECIDER = "H26.101", "H29.101"


async def tell(clients: Clients) -> None:
    await _sign_in(clients)
    await _verify(clients)
    before = await _indicators(clients)
    code = await _file(clients)
    await _handle(clients, code)
    await _push(clients)
    await _see_indicators(clients, before)
    await _refuse(clients, code)
    await _prove(clients, code)


async def _sign_in(clients: Clients) -> None:
    chapter("Each agency's system gets a token")
    for client in ("onestop-h26", "onestop-h29", "external-h41", "newcomer-h14", "auditor-g22"):
        await clients.sign_in(client)


async def _verify(clients: Clients) -> None:
    chapter("The desk verifies the applicant once, with the population register")
    person = {
        "personal_number": "001090000001",
        "full_name": "NGUYỄN VĂN AN",
        "birth_date": APPLICANT["birth_date"],
    }
    answer = await clients.call("onestop-h26", "POST", "/identity/v1/verifications", json=person)
    must(answer.json()["result"] == "MATCH", "the applicant is who she says")
    knows("identity", f"{answer.json()['result']}, as of {answer.json()['as_of']}")
    wrong = person | {"full_name": "Trần Thị Bình"}
    answer = await clients.call("onestop-h26", "POST", "/identity/v1/verifications", json=wrong)
    must(answer.json()["differing"] == ["full_name"], "only the name differs")
    knows("identity", f"{answer.json()['result']}: {answer.json()['differing']}, no true value")
    must("X-Subject" not in answer.headers, "inner headers stay inside")


APPLICANT = {
    "kind": 1,
    "name": "Nguyễn Văn An",
    "personal_number": "001090000001",
    "birth_date": "1990-05-14",
}


async def _file(clients: Clients) -> str:
    chapter(f"Birth registration {PROCEDURE} is filed at {DESK}, to be decided at {DECIDER}")
    dossier = {
        "procedure": PROCEDURE,
        "channel": 2,
        "applicant": APPLICANT,
        "helped_by": DESK,
        "received_by": DESK,
        "decided_by": DECIDER,
        "fees": ["LP-KSQH"],
        "documents": [{"paper": "GCS", "name": "Giấy chứng sinh", "kind": "original"}],
    }
    once = {"Idempotency-Key": str(uuid4())}
    answer = await clients.call(
        "onestop-h26",
        "POST",
        "/dossier/v1/dossiers",
        json=dossier,
        headers=once,
        expect=HTTPStatus.CREATED,
    )
    again = await clients.call(
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
    await _await_status(clients, code, 1)
    return code


async def _handle(clients: Clients, code: str) -> None:
    chapter("Fee, reception, handling at the other province, result, return")
    await _move(clients, "onestop-h26", code, 6)
    dossier = (await clients.call("onestop-h26", "GET", f"/dossier/v1/dossiers/{code}")).json()
    for fee in dossier["fees"]:
        payment = {
            "fee": fee["code"],
            "amount_vnd": fee["amount_vnd"],
            "reference": f"PAY-{uuid4()}",
            "method": "online",
        }
        await _change(clients, "onestop-h26", code, "payments", payment)
    await _move(clients, "onestop-h26", code, 1)
    await _move(clients, "onestop-h26", code, 2)
    await _move(clients, "onestop-h26", code, 4)
    await _change(clients, "onestop-h29", code, "progress", {"step": "civil-status-officer"})
    result = {
        "code": "KQ.G15.000031",
        "number": "12/2026",
        "title": "Giấy khai sinh",
        "electronic": True,
    }
    await _change(clients, "onestop-h29", code, "results", result)
    await _move(clients, "onestop-h29", code, 9)
    await _move(clients, "onestop-h26", code, 10)
    path = f"/sync/v1/dossiers/{code}/timeline"
    timeline = (await clients.call("onestop-h26", "GET", path)).json()["entries"]
    knows("sync", f"timeline of {len(timeline)} steps, statuses {[s['status'] for s in timeline]}")


async def _move(clients: Clients, client: str, code: str, to: int) -> None:
    await _change(clients, client, code, "transitions", {"to": to})
    await _await_status(clients, code, to)


async def _change(clients: Clients, client: str, code: str, what: str, body: Any) -> None:
    """Read it for its ETag, then change it."""
    path = f"/dossier/v1/dossiers/{code}"
    etag = (await clients.call(client, "GET", path, quiet=True)).headers["ETag"]
    answer = await clients.call(
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


async def _await_status(clients: Clients, code: str, status: int) -> None:
    took = await clients.until(
        "auditor-g22",
        f"/sync/v1/dossiers/{code}",
        f"the country sees status {status}",
        lambda view: view["status"] == status,
        VISIBLE_S,
    )
    knows("sync", f"the national view shows status {status} after {took * 1_000:.0f} ms")


async def _push(clients: Clients) -> None:
    chapter("An external one-stop system pushes three dossiers of its own")
    now = utc_now()
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
        answer = await clients.call(
            "external-h41", "POST", "/sync/v1/dossiers", json={"rows": rows}
        )
        outcomes = [row["outcome"] for row in answer.json()["results"]]
        must(outcomes == [expected] * 3, f"all three are {expected}, not {outcomes}")
        knows("sync", f"{outcomes}")
    for row in rows:
        await _await_status(clients, str(row["code"]), 9)


async def _indicators(clients: Clients) -> dict[str, Any]:
    found = {}
    for name in ("received_by_channel", "on_time"):
        path = f"/sync/v1/indicators/{name}?period={utc_now():%Y}"
        found[name] = (await clients.call("auditor-g22", "GET", path, quiet=True)).json()
    return found


async def _see_indicators(clients: Clients, before: dict[str, Any]) -> None:
    chapter("Two indicators have changed")
    for name, old in before.items():
        path = f"/sync/v1/indicators/{name}?period={utc_now():%Y}"
        expected = count_dossiers(old) + 4
        took = await clients.until(
            "auditor-g22",
            path,
            f"{name} counts four more",
            lambda now, expected=expected: count_dossiers(now) == expected,
            COUNTED_S,
        )
        new = (await clients.call("auditor-g22", "GET", path)).json()
        change = f"{format_indicator(old)} → {format_indicator(new)}"
        knows("sync", f"{name}: {change} after {took * 1_000:.0f} ms")


def count_dossiers(indicator: Mapping[str, Any]) -> int:
    """Return how many dossiers an indicator counts: those of a rate are its denominator."""
    dossiers: int = indicator["denominator"] or indicator["numerator"]
    return dossiers


def format_indicator(indicator: Mapping[str, Any]) -> str:
    count = count_dossiers(indicator)
    return f"{indicator['value']} {indicator['unit']} of {count} {indicator['counts']}"


async def _refuse(clients: Clients, code: str) -> None:
    chapter("A system without a right asks for the same dossier")
    answer = await clients.call(
        "newcomer-h14",
        "GET",
        f"/dossier/v1/dossiers/{code}",
        headers={"X-Dossier": code},
        expect=HTTPStatus.FORBIDDEN,
    )
    knows("gateway", f"{answer.json()['title']}")


async def _prove(clients: Clients, code: str) -> None:
    chapter("The ledger proves who read what")
    path = f"/ledger/v1/records?dossier={code}&limit=100"
    records = (await clients.call("auditor-g22", "GET", path)).json()["items"]
    must(any(r["outcome"] == "refused" for r in records), "the refused call is on record")
    must(len(records) >= LOOKS_AT_LEAST, "every look at the dossier is on record")
    keys = (await clients.call("auditor-g22", "GET", "/.well-known/ledger-keys.json")).json()
    key = trusted_key(keys)
    for record in records:
        path = f"/ledger/v1/records/{record['id']}/proof"
        bundle = (await clients.call("auditor-g22", "GET", path, quiet=True)).json()
        must(is_proved(bundle, key), f"record {record['id']} is proved offline")
    for record in records:
        knows(
            "ledger",
            f"{record['at'][11:23]} {record['client']:13} {record['operation']:44} "
            f"{record['outcome']}",
        )
    print(f"    all {len(records)} records proved offline with the ledger's public key")
