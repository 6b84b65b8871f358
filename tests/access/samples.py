"""One request to each operation, about what is ours, theirs or nobody's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from aiokafka import ConsumerRecord
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from identity_service.sandbox.clients import derive_grant_id
from shared.messaging.dead_letters import DeadLetter, Rejected, store_dead_letters
from shared.runtime.operator_routes import discard_dead_letter
from tests.access import bodies
from tests.access.country import BIRTH, OURS, THEIRS, Country, verification

WHOSE = {"ours": OURS, "theirs": THEIRS, "nobody": "H99"}
JWK = OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate().public_key(), as_dict=True) | {"kid": "k1"}
OLD = {"If-Match": '"999"'}


@dataclass(frozen=True)
class Sample:
    """`target` is what of the request names whose it is; None where nothing does."""

    path: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    data: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None

    @property
    def sent(self) -> dict[str, Any]:
        parts = {"params": self.params, "json": self.json, "data": self.data}
        return {name: part for name, part in parts.items() if part}


@dataclass
class Things:
    """What is there to be asked for: by kind, then by whose."""

    dossiers: dict[str, str]
    told: dict[str, str]
    records: dict[str, dict[str, Any]]
    letters: dict[str, str]
    secret: str

    def markers(self, operation: str) -> dict[str, str]:
        """How a list shows that it shows something of ours, or of theirs."""
        clients = {"ours": '"onestop-h26"', "theirs": '"onestop-h29"'}
        found = {
            "/identity/v1/agencies": {"ours": '"code":"H26"', "theirs": '"code":"H29"'},
            "/identity/v1/clients": clients,
            "/identity/v1/grants": clients,
            "/dossier/v1/dossiers": self.dossiers,
            "/sync/v1/dossiers": self.told,
            "/ledger/v1/records": {whose: one["id"] for whose, one in self.records.items()},
        }
        for service, letter in self.letters.items():
            found[f"/{service}/v1/dead-letters"] = {"ours": letter, "theirs": letter}
        method, _, path = operation.partition(" ")
        return found.get(path, {}) if method == "GET" else {}


async def make_things(country: Country) -> Things:
    dossiers = {whose: await _file(country, WHOSE[whose]) for whose in ("ours", "theirs")}
    told = {whose: await _tell(country, WHOSE[whose]) for whose in ("ours", "theirs")}
    records = {}
    for whose in ("ours", "theirs"):
        records[whose] = await _look(country, WHOSE[whose])
    letters = {name: await _set_aside(country, name) for name in country.apps}
    for client in ("operator-vpcp", "operator2-vpcp"):
        path = "/identity/v1/clients/onestop-h26/keys"
        await country.as_operator("POST", path, json=JWK, client=client)
    return Things(
        dossiers | {"nobody": "H99-261122-0001"},
        told | {"nobody": "H99-261102-0001"},
        records | {"nobody": {"id": str(uuid4())}},
        letters,
        country.secrets["onestop-h26"],
    )


async def _file(country: Country, agency: str) -> str:
    answer = await country.as_operator("POST", "/dossier/v1/dossiers", json=bodies.wish(agency))
    code: str = answer.json()["code"]
    return code


async def _tell(country: Country, agency: str) -> str:
    row = bodies.row(agency)
    answer = await country.as_operator("POST", "/sync/v1/dossiers", json={"rows": [row]})
    assert answer.json()["results"][0]["outcome"] == "accepted"
    return str(row["code"])


async def _look(country: Country, agency: str) -> dict[str, Any]:
    client = f"looker-{agency.lower()}"
    await country.allow(client, {}, agency=agency)
    headers = [
        ("Authorization", f"Bearer {country.token(client, agency)}"),
        ("X-Purpose", BIRTH),
        ("X-Officer", "officer-1"),
    ]
    answer = await country.ask("POST", "/identity/v1/verifications", headers, json=verification())
    assert answer.is_success, answer.text
    [row] = await country.gate.records(client=client)
    return {"id": str(row["id"]), "at": row["at"]}


async def _set_aside(country: Country, service: str) -> str:
    """A message that no one could read; discarded, so that to settle it changes nothing."""
    value = f'{{"service": "{service}"}}'.encode()
    headers = (("ce_type", b"dossier.moved.v1"),)
    record: Any = ConsumerRecord(
        "dossier.events.v1", 0, 1, 0, 0, b"H26-261102-0001", value, None, 0, 0, headers
    )
    async with country.apps[service].state.sessions.begin() as session:
        await store_dead_letters(session, [Rejected(record, ValueError("unreadable"))])
        await session.flush()
        letter = (await session.execute(DeadLetter.__table__.select())).one()
        await discard_dead_letter(session, letter.id)
    return str(letter.id)


Asked = Callable[[str], Sample]


def samples(things: Things) -> Mapping[str, Asked]:
    """By operation, what makes a request about what is `ours`, `theirs` or `nobody`'s."""
    made = _of_identity(things) | _of_dossiers(things) | _of_sync(things) | _of_ledger(things)
    for service, letter in things.letters.items():
        root = f"/{service}/v1/dead-letters"
        one = _always(Sample(path={"letter_id": letter}))
        made[f"GET {root}"] = _always(Sample(params={"state": "discarded"}))
        made |= {f"GET {root}/{{letter_id}}": one, f"DELETE {root}/{{letter_id}}": one}
        made[f"POST {root}/{{letter_id}}/replay"] = one
    return made


def _always(sample: Sample) -> Asked:
    return lambda _: sample


def _one(name: str, found: Mapping[str, str], **more: Any) -> Asked:
    """What the path names, as `name`."""
    return lambda whose: Sample(path={name: found[whose]}, target=found[whose], **more)


LISTED = _always(Sample(params={"limit": 500}))
CLIENTS = {"ours": "onestop-h26", "theirs": "onestop-h29", "nobody": "nobody-1"}
GRANTS = {whose: str(derive_grant_id(client, 0)) for whose, client in CLIENTS.items()}


def _of_identity(things: Things) -> dict[str, Asked]:
    root = "/identity/v1"

    def key(whose: str) -> Sample:
        return Sample(path={"client_id": CLIENTS[whose], "kid": "k9"}, target=CLIENTS[whose])

    def new_client(whose: str) -> Sample:
        return Sample(json=bodies.new_client(WHOSE[whose]), target=WHOSE[whose])

    return {
        "GET /.well-known/jwks.json": _always(Sample()),
        "GET /.well-known/oauth-authorization-server": _always(Sample()),
        "POST /oauth/token": _always(Sample(data=bodies.token_request(things.secret))),
        f"POST {root}/verifications": _always(Sample(json=verification())),
        f"GET {root}/agencies": _always(Sample(params={"level": "province"})),
        f"POST {root}/agencies": lambda whose: Sample(json=bodies.new_agency(WHOSE[whose])),
        f"GET {root}/agencies/{{code}}": _one("code", WHOSE),
        f"POST {root}/agencies/{{code}}/reopening": _one("code", WHOSE, headers=OLD),
        f"GET {root}/clients": LISTED,
        f"POST {root}/clients": new_client,
        f"GET {root}/clients/{{client_id}}": _one("client_id", CLIENTS),
        f"POST {root}/clients/{{client_id}}/keys": _one("client_id", CLIENTS, json=JWK),
        f"DELETE {root}/clients/{{client_id}}/keys/{{kid}}": key,
        f"POST {root}/clients/{{client_id}}/deactivation": _one("client_id", CLIENTS, headers=OLD),
        f"POST {root}/clients/{{client_id}}/reactivation": _one("client_id", CLIENTS, headers=OLD),
        f"GET {root}/grants": LISTED,
        f"POST {root}/grants": _always(Sample(json=bodies.new_grant())),
        f"GET {root}/grants/{{grant_id}}": _one("grant_id", GRANTS),
        f"POST {root}/grants/{{grant_id}}/revocation": _one("grant_id", GRANTS, headers=OLD),
    }


def _of_dossiers(things: Things) -> dict[str, Asked]:
    root, codes = "/dossier/v1/dossiers", things.dossiers

    def change(body: Mapping[str, Any]) -> Asked:
        return _one("code", codes, json=body, headers=OLD)

    return {
        "GET /dossier/v1/procedures": LISTED,
        "GET /dossier/v1/procedures/{code}": _always(Sample(path={"code": BIRTH})),
        f"POST {root}": lambda whose: Sample(json=bodies.wish(WHOSE[whose]), target=WHOSE[whose]),
        f"GET {root}": LISTED,
        f"GET {root}/{{code}}": _one("code", codes),
        f"GET {root}/{{code}}/history": _one("code", codes),
        f"POST {root}/{{code}}/transitions": change({"to": 4}),
        f"POST {root}/{{code}}/progress": change({"step": "desk"}),
        f"POST {root}/{{code}}/payments": change(bodies.payment()),
        f"POST {root}/{{code}}/results": change(bodies.result()),
    }


def _of_sync(things: Things) -> dict[str, Asked]:
    def pushed(whose: str) -> Sample:
        row = bodies.row(WHOSE[whose])
        return Sample(json={"rows": [row]}, target=str(row["code"]))

    def progress(whose: str) -> Sample:
        return Sample(json=bodies.progress_of(things.told[whose]), target=things.told[whose])

    def indicator(whose: str) -> Sample:
        asked = {"period": "2026-11", "agency": WHOSE[whose], "procedure": BIRTH}
        return Sample(path={"indicator": "on_time"}, params=asked, target=WHOSE[whose])

    return {
        "POST /sync/v1/dossiers": pushed,
        "POST /sync/v1/progress": progress,
        "GET /sync/v1/dossiers": LISTED,
        "GET /sync/v1/dossiers/{code}": _one("code", things.told),
        "GET /sync/v1/dossiers/{code}/timeline": _one("code", things.told),
        "GET /sync/v1/indicators": _always(Sample()),
        "GET /sync/v1/indicators/{indicator}": indicator,
    }


def _of_ledger(things: Things) -> dict[str, Asked]:
    ids = {whose: record["id"] for whose, record in things.records.items()}
    return {
        "GET /ledger/v1/records": _always(Sample(params=_both(things))),
        "GET /ledger/v1/records/{record_id}": _one("record_id", ids),
        "GET /ledger/v1/records/{record_id}/proof": _one("record_id", ids),
        "GET /ledger/v1/seals": _always(Sample(params={"limit": 5})),
    }


def _both(things: Things) -> dict[str, str]:
    """The span of time in which both records were made."""
    begin, end = things.records["ours"]["at"], things.records["theirs"]["at"]
    return {"from": begin.isoformat(), "to": (end + timedelta(microseconds=1)).isoformat()}
