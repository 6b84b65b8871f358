"""The questions that lists, look-ups and indicators are measured with."""

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import asyncpg
import httpx

from deploy.bench.dossiers import DAY, DAYS, SEED, end_of_time
from deploy.bench.load import LoadRequest, request
from deploy.bench.mesh import PROCEDURE
from deploy.bench.restricted import communes
from dossier_service.dossiers.filters import DossierFilter
from shared.web.pagination import ListFilter, PageParameters
from sync_service.national_view.filters import NationalDossierFilter

LISTS: Mapping[str, str] = {
    "dossier_service": "/dossier/v1/dossiers",
    "sync_service": "/sync/v1/dossiers",
}
UNFILTERED: Mapping[str, ListFilter] = {
    "dossier_service": DossierFilter(),
    "sync_service": NationalDossierFilter(),
}
FIRST_PAGE, LOOK_UP = "first page", "one dossier"
# No refused dossier came to a desk: every one of the filter's parts is found, all together never.
FILTERS: Mapping[str, str] = {
    FIRST_PAGE: "",
    "filtered by status": "?status=4",
    "filtered by procedure": "?procedure=1.001193",
    "nothing found": "?status=3&channel=1",
}
ON_TIME = "/sync/v1/indicators/on_time"
ALL_COMMUNES = f"{ON_TIME}?period=2026-10&group_by=agency&level=commune"
INDICATORS: Mapping[str, str] = {
    "indicator of a province": f"{ON_TIME}?period=2026&agency=H26",
    "indicator by procedure": f"{ON_TIME}?period=2026&group_by=procedure",
    "ranking of provinces": f"{ON_TIME}?period=2026&group_by=agency&level=province",
    "ranking of a province's communes": f"{ON_TIME}?period=2026&agency=H26&group_by=agency",
    "ranking of all communes": ALL_COMMUNES,
    "ranking of all communes over a year": f"{ON_TIME}?period=2026&group_by=agency&level=commune",
}
LATER_PAGE, PAGES_ON = "ranking of all communes: a later page", 20
CURSORS = 200


def lists(base: str, service: str, headers: Mapping[str, str]) -> dict[str, Iterator[LoadRequest]]:
    """Return endless requests by the kind of question."""
    url = f"{base}{LISTS[service]}"
    asked = {
        kind: itertools.repeat(request("GET", url + words, headers))
        for kind, words in FILTERS.items()
    }
    deep = [
        request("GET", f"{url}?after={cursor}", headers) for cursor in _cursors(UNFILTERED[service])
    ]
    return asked | {"deep cursor": itertools.cycle(deep)}


def look_ups(
    base: str, service: str, headers: Mapping[str, str], codes: Sequence[str]
) -> Iterator[LoadRequest]:
    url = f"{base}{LISTS[service]}"
    return itertools.cycle([request("GET", f"{url}/{code}", headers) for code in codes])


async def indicators(base: str, headers: Mapping[str, str]) -> dict[str, Iterator[LoadRequest]]:
    """Return endless requests by the kind of question; read some pages to reach a later one."""
    async with httpx.AsyncClient(
        base_url=base, headers=headers, timeout=30, trust_env=False
    ) as http:
        paths = {**INDICATORS, LATER_PAGE: await later_page(http, ALL_COMMUNES, PAGES_ON)}
    return {
        kind: itertools.repeat(request("GET", base + path, headers)) for kind, path in paths.items()
    }


async def later_page(http: httpx.AsyncClient, path: str, pages: int) -> str:
    """Return the path of the page so many pages after the first, or of the last page."""
    later = path
    for _ in range(pages):
        answer = (await http.get(later)).raise_for_status()
        if (cursor := answer.json()["groups"]["next"]) is None:
            break
        later = f"{path}&after={cursor}"
    return later


async def visible_codes(url: str) -> Sequence[str]:
    """Return some codes that the restricted client may see for its purpose."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT DISTINCT dossier FROM dossier_party"
            " WHERE agency = ANY($1) AND procedure = $2 ORDER BY dossier LIMIT $3",
            list(communes()),
            PROCEDURE,
            CURSORS,
        )
        return [row["dossier"] for row in rows]
    finally:
        await connection.close()


def _cursors(filters: ListFilter) -> Iterator[str]:
    """Yield cursors of pages somewhere in the two years."""
    keyset = filters.read_keyset(PageParameters())
    rng = random.Random(SEED)  # noqa: S311 -- an order, no secret
    for _ in range(CURSORS):
        instant = end_of_time() - rng.randrange(DAY, DAYS * DAY)
        yield keyset.write((_iso(instant), "H26.101-250101-0001"))


def _iso(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).isoformat()
