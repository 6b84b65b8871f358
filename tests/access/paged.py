"""Every list of all services, each with filters that two items or more meet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dossier_service.catalogue.own_procedures import read_own_procedures
from dossier_service.catalogue.use_cases import publish_procedures
from shared.messaging.dead_letters import Rejected, store_dead_letters
from shared.runtime.operator_routes import discard_dead_letter, list_dead_letters
from tests.access import bodies
from tests.access.country import BIRTH, OURS, Country
from tests.shared.event_flow import agency, record

LISTER = "lister-g22"
# The purpose of each call, since the dossiers are of this procedure.
PURPOSE = f"{BIRTH}.{OURS}"
DOSSIERS, PUSHED = "/dossier/v1/dossiers", "/sync/v1/dossiers"
BEGIN = datetime(2026, 1, 5, 1, tzinfo=UTC)
MANY_CALLS = 1_000_000


@dataclass(frozen=True)
class PagedList:
    """A list; at `other_path` the same operation shows another one."""

    path: Mapping[str, str] = field(default_factory=dict)
    filters: dict[str, str] = field(default_factory=dict)
    other_path: Mapping[str, str] = field(default_factory=dict)


async def make_lists(country: Country) -> Mapping[str, PagedList]:
    """Fill the lists, and return them by operation."""
    everything = {"operations": ["*"], "per_second": MANY_CALLS}
    await country.allow(LISTER, everything, agency="G22")
    lists = {
        "GET /identity/v1/agencies": PagedList(filters={"level": "commune", "parent": OURS}),
        "GET /identity/v1/clients": PagedList(filters={"agency": "G22", "active": "true"}),
        "GET /identity/v1/grants": PagedList(filters={"in_force": "true"}),
        "GET /dossier/v1/procedures": PagedList(filters={"level": "commune", "owner": "G15"}),
        **await _list_dossiers(country),
        **await _list_national_dossiers(country),
    }
    for service in country.apps:
        await _set_letters_aside(country, service)
        letters = PagedList(filters={"state": "discarded"})
        lists[f"GET /{service}/v1/dead-letters"] = letters
    return lists | await _list_ledger(country)


async def _change(country: Country, path: str, body: object, **headers: str) -> dict[str, object]:
    sent = {"X-Purpose": PURPOSE, **headers}
    answer = await country.as_operator("POST", path, client=LISTER, headers=sent, json=body)
    made: dict[str, object] = answer.json()
    return made


async def _list_dossiers(country: Country) -> dict[str, PagedList]:
    """Two dossiers of a localised procedure, each with two steps."""
    published = read_own_procedures()[BIRTH]
    localised = published.model_copy(update={"code": PURPOSE, "fees": (), "result_codes": ()})
    async with country.apps["dossier"].state.sessions.begin() as session:
        await publish_procedures(session, [localised], now=BEGIN)
    codes = []
    for _ in range(2):
        filed = await _change(country, DOSSIERS, bodies.wish(OURS) | {"procedure": PURPOSE})
        codes.append(str(filed["code"]))
        path = f"{DOSSIERS}/{codes[-1]}/progress"
        await _change(country, path, {"step": "desk-1"}, **{"If-Match": '"1"'})
    first, second = ({"code": code} for code in codes)
    return {
        f"GET {DOSSIERS}": PagedList(filters={"agency": OURS, "procedure": PURPOSE}),
        f"GET {DOSSIERS}/{{code}}/history": PagedList(first, other_path=second),
    }


async def _list_national_dossiers(country: Country) -> dict[str, PagedList]:
    """Two dossiers of a localised procedure, by two channels, each with two entries."""
    rows = [bodies.row(OURS, procedure=PURPOSE, channel=channel) for channel in (1, 2)]
    await _change(country, PUSHED, {"rows": rows})
    for row in rows:
        await _change(country, "/sync/v1/progress", bodies.progress_of(row["code"]))
    first, second = ({"code": row["code"]} for row in rows)
    filters = {"agency": OURS, "procedure": PURPOSE}
    return {
        f"GET {PUSHED}": PagedList(filters=filters),
        f"GET {PUSHED}/{{code}}/timeline": PagedList(first, other_path=second),
        "GET /sync/v1/indicators/{indicator}": PagedList(
            {"indicator": "on_time"},
            {"period": "2026-11", **filters, "group_by": "channel"},
            {"indicator": "received_by_channel"},
        ),
    }


async def _set_letters_aside(country: Country, service: str) -> None:
    """Two messages that were discarded."""
    async with country.apps[service].state.sessions.begin() as session:
        records = (record(agency(f"H26.{number}")) for number in range(2))
        await store_dead_letters(session, [Rejected(each, ValueError()) for each in records])
        await session.flush()
        for letter in await list_dead_letters(session, "open"):
            await discard_dead_letter(session, letter.id)


async def _list_ledger(country: Country) -> dict[str, PagedList]:
    """What was recorded up to now, so that the calls of the tests add nothing to it."""
    records = await country.gate.records(client=LISTER)
    span = {"from": BEGIN.isoformat(), "to": datetime.now(UTC).isoformat()}
    return {
        "GET /ledger/v1/records": PagedList(filters={"agency": "G22", **span}),
        "GET /ledger/v1/seals": PagedList(filters={"chain": records[0]["chain"]}),
    }
