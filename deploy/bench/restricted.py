"""A client with two hundred rights, each to one procedure at two hundred communes."""

import asyncio
from collections.abc import Sequence
from itertools import cycle, islice

import httpx

from deploy.bench.dossiers import country
from deploy.bench.mesh import PROCEDURE, Mesh

RESTRICTED, GIVING = "newcomer-h14", "operator-vpcp"
GRANTS = COMMUNES = 200
GIVEN_AT_ONCE, KNOWN_WITHIN_S = 8, 30.0
OPERATIONS = [
    "GET /dossier/v1/dossiers",
    "GET /dossier/v1/dossiers/{code}",
    "GET /sync/v1/dossiers",
    "GET /sync/v1/dossiers/{code}",
]
INDICATOR = "GET /sync/v1/indicators/{indicator}"
WIDE_QUOTA = 100_000


def communes() -> Sequence[str]:
    """Return communes of all provinces."""
    of = country()
    every = len(of.communes) // COMMUNES
    return [of.agencies[place].code for place in of.communes[::every][:COMMUNES].tolist()]


def procedures() -> Sequence[str]:
    """Return every second procedure, so that lists have rows to leave out."""
    others = [code for code in country().procedures if code != PROCEDURE]
    return [PROCEDURE, *others[::2]]


async def create_grants(mesh: Mesh, board: str) -> None:
    """Create the grants through the API; return when the gateways have projected them.

    `board` gets a quota under which it can be measured.
    """
    rights: list[dict[str, object]] = [
        {
            "client_id": RESTRICTED,
            "operations": OPERATIONS,
            "procedures": [code],
            "agencies": communes(),
        }
        for code in islice(cycle(procedures()), GRANTS)
    ]
    rights.append({"client_id": board, "operations": [INDICATOR]})
    if await _count_projected(mesh) < GRANTS:
        await _create_grants(mesh, rights)
    async with asyncio.timeout(KNOWN_WITHIN_S):
        while await _count_projected(mesh) < GRANTS:  # noqa: ASYNC110 -- the state is in another process
            await asyncio.sleep(0.1)


async def _create_grants(mesh: Mesh, rights: Sequence[dict[str, object]]) -> None:
    told = {"legal_basis": "QĐ 766/QĐ-TTg", "per_second": WIDE_QUOTA}
    left = iter(rights)
    headers = mesh.headers(GIVING)
    async with (
        httpx.AsyncClient(base_url=mesh.url, headers=headers, timeout=30, trust_env=False) as http,
        asyncio.TaskGroup() as tasks,
    ):

        async def give() -> None:
            for right in left:
                answer = await http.post("/identity/v1/grants", json=right | told)
                answer.raise_for_status()

        for _ in range(GIVEN_AT_ONCE):
            tasks.create_task(give())


async def _count_projected(mesh: Mesh) -> int:
    """Return the number of its grants that the gateways have projected."""
    async with mesh.database("gateway") as connection:
        found = await connection.fetchval(
            "SELECT count(*) FROM grant_in_force WHERE client_id = $1", RESTRICTED
        )
    return int(found)
