"""What the mesh holds before it is asked, and where requests name it.

Half of the values there are of these, and all where an operation is told its own: what is asked
at random alone finds nothing, and never comes to where something is changed.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from deploy.run_sync import run_apart
from identity_service.clients.jwk import check_public_jwk
from identity_service.clients.use_cases.installation import register_missing_key
from shared.database.engine import open_database
from shared.settings import ServiceSettings
from tests.dossier_service.desk import COPY, COPY_FEE, COPY_RESULT, wish
from tests.fuzz.apis import Apis

Values = Sequence[str | int]
Places = Mapping[str, Values]

AGENCY = "H26.101"
DOSSIERS, DOSSIER = "/dossier/v1/dossiers", "/dossier/v1/dossiers/{code}"
CLIENTS, CLIENT = "/identity/v1/clients", "/identity/v1/clients/{client_id}"
GRANTS, GRANT = "/identity/v1/grants", "/identity/v1/grants/{grant_id}"
PUSHED = "/sync/v1/dossiers"
# Each is changed once only, and is then of another version.
MANY = 24
# The letters of several pages of a list.
LISTED = 200
CLIENTS_HELD = ["onestop-h26", "onestop-h01"]
FIRST: Places = {"header.if-match": ['"1"']}
KIDS = [f"held-{number}" for number in range(MANY)]


# Of the client who asks, nothing.
EVERYWHERE: Places = {
    "header.if-match": ['"1"', '"2"', '"3"'],
    "path.client_id": CLIENTS_HELD,
    "body.client_id": CLIENTS_HELD,
    "body.agency": ["H26", "H01"],
    "body.kid": ["signing-1", "signing-2"],
}


def by_operation(apis: Apis) -> Mapping[str, Places]:
    """Made anew for each run: the one before has changed its own."""
    with httpx.Client(timeout=60.0) as http:
        holder = _Holder(apis, http)
        codes = [holder.file_dossier() for _ in range(MANY)]
        leaving = [holder.register_client() for _ in range(MANY)]
        staying = [holder.register_client() for _ in range(2)]
        grants = [holder.give_grant(staying[0]) for _ in range(MANY)]
        holder.register_keys(staying[0])
        holder.push(pushed := [f"H26-{datetime.now(UTC):%y%m%d}-{n:04d}" for n in range(3)])
    return {
        **_of_dossiers(codes),
        **_of_clients(leaving, staying),
        **_of_grants(grants, staying),
        **_of_national(pushed),
        **dict(_of_letters(apis)),
    }


def _of_dossiers(codes: Values) -> Mapping[str, Places]:
    change = {"path.code": codes, **FIRST}
    return {
        f"POST {DOSSIERS}": {
            "body.procedure": [COPY],
            "body.channel": [1],
            "body.submitted_at": [datetime.now(UTC).isoformat()],
            "body.fees[*]": [COPY_FEE],
        },
        f"GET {DOSSIER}": {"path.code": codes},
        f"GET {DOSSIER}/history": {"path.code": codes},
        f"POST {DOSSIER}/transitions": change | {"body.to": [4]},
        f"POST {DOSSIER}/progress": change,
        f"POST {DOSSIER}/payments": change | {"body.fee": [COPY_FEE], "body.amount_vnd": [2_000]},
        f"POST {DOSSIER}/results": change | {"body.code": [COPY_RESULT]},
        "GET /dossier/v1/procedures/{code}": {"path.code": [COPY], "query.version": [1]},
    }


def _of_clients(leaving: Values, staying: Values) -> Mapping[str, Places]:
    client = {"path.client_id": [*leaving, *staying]}
    new = [f"new-{uuid4().hex}" for _ in range(MANY)]
    return {
        f"POST {CLIENTS}": {"body.client_id": new, "body.agency": ["H26"]},
        f"GET {CLIENT}": client,
        f"POST {CLIENT}/keys": client,
        f"DELETE {CLIENT}/keys/{{kid}}": {"path.client_id": staying[:1], "path.kid": KIDS},
        f"POST {CLIENT}/deactivation": {"path.client_id": leaving, **FIRST},
        f"POST {CLIENT}/reactivation": {"path.client_id": leaving, **FIRST},
        "POST /identity/v1/agencies": {
            "body.code": [f"Y{number:02}.{uuid4().int % 1_000}" for number in range(MANY)],
            "body.parent": ["H26"],
        },
        "GET /identity/v1/agencies/{code}": {"path.code": ["H26", "G22"]},
        "POST /identity/v1/agencies/{code}/reopening": {"path.code": ["H26", "G22"], **FIRST},
    }


def _of_grants(grants: Values, staying: Values) -> Mapping[str, Places]:
    return {
        f"POST {GRANTS}": {"body.client_id": staying, "body.agencies[*]": ["H26"]},
        f"GET {GRANT}": {"path.grant_id": grants},
        f"POST {GRANT}/revocation": {"path.grant_id": grants, **FIRST},
    }


def _of_national(pushed: Values) -> Mapping[str, Places]:
    return {
        f"GET {PUSHED}/{{code}}": {"path.code": pushed},
        f"GET {PUSHED}/{{code}}/timeline": {"path.code": pushed},
        "GET /sync/v1/indicators/{indicator}": {
            "path.indicator": ["on_time", "received_by_channel"],
            "query.period": ["2026-10", "2026-Q4", "2026"],
            "query.agency": ["H26"],
        },
    }


def _of_letters(apis: Apis) -> Iterator[tuple[str, Places]]:
    """The gateway leads to those of each service. One is settled once, in one way."""
    for service in apis.settings:
        letter = f"/{service}/v1/dead-letters/{{letter_id}}"
        # Stories replay letters of the list too, so many more are there to be discarded.
        letters = apis.set_aside(service, LISTED + 2 * MANY)
        yield f"GET {letter}", {"path.letter_id": letters}
        yield f"DELETE {letter}", {"path.letter_id": letters[-LISTED:]}
        yield f"POST {letter}/replay", {"path.letter_id": letters[:MANY]}


async def _register_keys(settings: ServiceSettings, client: str) -> None:
    async with open_database(settings) as sessions:
        for kid in KIDS:
            key = OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate().public_key(), as_dict=True)
            jwk = check_public_jwk({**key, "kid": kid})
            async with sessions.begin() as session:
                await register_missing_key(session, client, jwk, now=datetime.now(UTC))


class _Holder:
    """Asks the services themselves, each with the whole right."""

    def __init__(self, apis: Apis, http: httpx.Client) -> None:
        self._apis, self._http = apis, http

    def file_dossier(self) -> str:
        made = self._post(DOSSIERS, wish(procedure=COPY, received_by=AGENCY, decided_by=AGENCY))
        return str(made["code"])

    def register_client(self) -> str:
        name = f"held-{uuid4().hex}"
        self._post(CLIENTS, {"client_id": name, "agency": "H26", "name": name, "kind": "sandbox"})
        return name

    def register_keys(self, client: str) -> None:
        """By the command on the machine: two operators would have to ask for each."""
        run_apart(_register_keys(self._apis.settings["identity"], client))

    def give_grant(self, client: str) -> str:
        operations = ["GET /sync/v1/dossiers"]
        given = {"client_id": client, "operations": operations, "legal_basis": "QĐ 766/QĐ-TTg"}
        return str(self._post(GRANTS, given)["id"])

    def push(self, codes: Sequence[str]) -> None:
        filed = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        told = {"status": 2, "procedure": COPY, "channel": 1, "source_time": filed}
        told |= {"received_by": "H26", "decided_by": "H26", "filed_at": filed, "received_at": filed}
        answer = self._post(PUSHED, {"rows": [told | {"code": code} for code in codes]})
        assert {each["outcome"] for each in answer["results"]} <= {
            "accepted",
            "duplicate",
            "updated",
        }

    def _post(self, template: str, body: Mapping[str, Any], **path: str) -> dict[str, Any]:
        service = template.split("/")[1]
        headers = self._apis.headers(service, f"POST {template}")
        address = self._apis.addresses[service] + template.format(**path)
        answer = self._http.post(address, json=body, headers=headers)
        assert answer.is_success, answer.text
        made: dict[str, Any] = answer.json()
        return made
