"""Fill the databases of an installation by calls, so that each table has rows."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from sqlalchemy import select

import dossier_service.handlers
import gateway.handlers
import sync_service.handlers
from shared.events import TOPICS, Event, parse_event
from shared.messaging.consumer import handle_records
from shared.messaging.outbox import OutboxMessage
from shared.runtime.operator_routes import list_dead_letters
from tests.access import bodies
from tests.access.country import OURS, Country, verification
from tests.access.samples import Things, make_things
from tests.support.event_keys import VERIFIER, make_record

HANDLERS = {
    "dossier": dossier_service.handlers.HANDLERS,
    "sync": sync_service.handlers.HANDLERS,
    "gateway": gateway.handlers.HANDLERS,
}
DOSSIERS, CLIENTS = "/dossier/v1/dossiers", "/identity/v1/clients"
AGENCIES, GRANTS = "/identity/v1/agencies", "/identity/v1/grants"


async def fill_databases(country: Country) -> Things:
    """Return what the samples of requests are about; the first dossier has ended."""
    things = await make_things(country)
    await _handle_dossiers(country, things)
    await _administer(country)
    await _verify_wrongly(country)
    await _push_progress(country, things)
    await deliver_events(country)
    return things


async def change(country: Country, path: str, act: str, body: object = None) -> None:
    """Change the resource at the path as it is now."""
    read = await country.as_operator("GET", path)
    headers = {"If-Match": read.headers["ETag"]}
    await country.as_operator("POST", f"{path}/{act}", json=body, headers=headers)


async def _handle_dossiers(country: Country, things: Things) -> None:
    """Take one dossier to its end, and leave the others open."""
    filing = bodies.wish(OURS) | {
        "documents": [{"paper": "TK-KS", "name": "Tờ khai", "kind": "original"}],
        "fees": [bodies.payment()["fee"]],
    }
    filed = await country.as_operator(
        "POST", DOSSIERS, json=filing, headers={"Idempotency-Key": "filing-17"}
    )
    things.dossiers["ours"] = filed.json()["code"]
    first, second = (f"{DOSSIERS}/{things.dossiers[whose]}" for whose in ("ours", "theirs"))
    await change(country, first, "payments", bodies.payment())
    await change(country, first, "transitions", {"to": 4})
    await change(country, first, "progress", {"step": "desk"})
    await change(country, first, "results", bodies.result())
    await change(country, first, "transitions", {"to": 9})
    await change(country, first, "transitions", {"to": 10})
    await change(country, second, "transitions", {"to": 4})


async def _administer(country: Country) -> None:
    agency = {"code": "H26.900", "name": "Xã mới", "level": "commune", "valid_from": "2026-01-01"}
    await country.as_operator("POST", AGENCIES, json=agency)
    client = {"client_id": "system-h26", "agency": OURS, "name": "System", "kind": "production"}
    await country.as_operator("POST", CLIENTS, json=client)
    # A second operator has not agreed yet.
    await country.as_operator("POST", f"{CLIENTS}/system-h26/keys", json=make_public_key())
    await country.as_operator("POST", GRANTS, json=bodies.new_grant())
    revoked = await country.as_operator("POST", GRANTS, json=bodies.new_grant())
    await change(country, f"{GRANTS}/{revoked.json()['id']}", "revocation")


def make_public_key() -> dict[str, Any]:
    public = Ed25519PrivateKey.generate().public_key()
    return OKPAlgorithm.to_jwk(public, as_dict=True) | {"kid": "first"}


async def _verify_wrongly(country: Country) -> None:
    wrong = verification() | {"full_name": "Trần Thị Bình"}
    await country.as_operator("POST", "/identity/v1/verifications", json=wrong)


async def _push_progress(country: Country, things: Things) -> None:
    """Push for a dossier that the view has, and for one that it has not yet."""
    for code in (things.told["ours"], "H26-261102-99999"):
        progress = bodies.progress_of(code)
        await country.as_operator("POST", "/sync/v1/progress", json=progress)


async def deliver_events(country: Country) -> None:
    """Hand all events to the services that handle them, as their workers do."""
    events = [event for name in country.apps for event in await _read_outbox(country, name)]
    for name, handlers in HANDLERS.items():
        records = [make_record(event) for event in events if type(event) in handlers]
        sessions = country.apps[name].state.sessions
        await handle_records(sessions, records, handlers, VERIFIER)
        async with sessions() as session:
            assert not await list_dead_letters(session, "open")


async def _read_outbox(country: Country, name: str) -> list[Event]:
    query = select(OutboxMessage).where(OutboxMessage.topic.in_(TOPICS))
    async with country.apps[name].state.sessions() as session:
        rows = (await session.scalars(query.order_by(OutboxMessage.position))).all()
    return [parse_event(row.headers["ce_type"], row.value) for row in rows]
