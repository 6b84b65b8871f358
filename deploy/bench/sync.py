"""Status rows of another system: new ones, newer ones, and ones that end their dossiers."""

import itertools
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from deploy.bench.figures import Figure
from deploy.bench.load import Address, LoadRequest, LoadResult, request, saturate
from deploy.bench.load_results import sender
from deploy.bench.mesh import Mesh
from deploy.bench.processes import TRUSTING, service
from shared.codes.time import unix_now

CLIENT, PROVINCE = "external-h41", "H41"
OPERATION, PATH = "POST /sync/v1/dossiers", "/sync/v1/dossiers"
ROWS, BATCHES, CONNECTIONS, ROUNDS = 1000, 6, 2, 3
COMMUNES, DAILY, NUMBERS = 100, 9_000, 80_000_000
PROCEDURES = ("1.001193", "1.004222", "2.000815")
RECEIVED, PROCESSING, PROCESSED = 2, 4, 9
# The statuses of the three passes over the same dossiers.
PASSES: Mapping[str, int] = {"new": RECEIVED, "updated": PROCESSING, "ended": PROCESSED}


async def measure(mesh: Mesh) -> list[Figure]:
    with service("sync_service", program=TRUSTING) as trusting:
        return await _measure(mesh, trusting.url)


async def _measure(mesh: Mesh, direct: str) -> list[Figure]:
    batches = max(1, int(BATCHES * min(1.0, mesh.seconds(BATCHES) / BATCHES)))
    begins = itertools.count(first_number(), batches * ROWS)
    runs: dict[tuple[str, str], list[float]] = {}
    loads: list[LoadResult] = []
    for _ in range(ROUNDS):
        for way, url in (("through the gateway", mesh.url), ("direct", direct)):
            begin = next(begins)
            for told, status in PASSES.items():
                load = await push(mesh, url, begin, batches, status)
                loads.append(load)
                runs.setdefault((told, way), []).append(load.per_second * ROWS)
    return [
        *(
            Figure(
                f"status rows pushed {way}: {told}",
                "1/s",
                speeds,
                aim=3000 if way != "direct" else None,
                reference=() if way == "direct" else runs[told, "direct"],
            )
            for (told, way), speeds in runs.items()
        ),
        sender("status rows pushed", loads),
    ]


def first_number() -> int:
    """Return a number made from the clock, so that the dossiers of each run are new."""
    return int(unix_now() * 1000) % NUMBERS // ROWS * ROWS


async def push(mesh: Mesh, url: str, begin: int, batches: int, status: int) -> LoadResult:
    """Push `batches` batches from the dossier `begin` on."""
    headers = (
        mesh.headers(CLIENT)
        if url == mesh.url
        else mesh.inner_headers(CLIENT, PROVINCE, OPERATION, "sync_service")
    )
    return await send_batches(url, headers, begin, batches, status)


async def send_batches(
    url: str, headers: Mapping[str, str], begin: int, batches: int, status: int
) -> LoadResult:
    host, _, port = url.removeprefix("http://").partition(":")
    address: Address = host, int(port)
    made = list(_batches(url, headers, begin, batches, status))
    outcome = await saturate(
        address, iter(made), connections=min(CONNECTIONS, batches), seconds=60, warm_up=0
    )
    return outcome.require_success()


def _batches(
    url: str, headers: Mapping[str, str], begin: int, batches: int, status: int
) -> Iterator[LoadRequest]:
    for first in range(begin, begin + batches * ROWS, ROWS):
        rows = [row(number, status) for number in range(first, first + ROWS)]
        yield request("POST", f"{url}{PATH}", headers, json.dumps({"rows": rows}).encode())


def row(number: int, status: int) -> dict[str, object]:
    """Return the row of a dossier of one of a hundred communes, in the order of reception."""
    desk = f"{PROVINCE}.{101 + number % COMMUNES}"
    filed = datetime(2001, 1, 1, 8, tzinfo=UTC) + timedelta(days=number // DAILY)
    told: dict[str, object] = {
        "code": f"{desk}-{filed:%y%m%d}-{1 + number % DAILY // COMMUNES:04d}",
        "procedure": PROCEDURES[number % len(PROCEDURES)],
        "channel": 1 + number % 2,
        "received_by": desk,
        "decided_by": desk,
        "filed_at": filed.isoformat(),
        "received_at": filed.isoformat(),
        "due_at": (filed + timedelta(days=5)).isoformat(),
        "status": status,
        "source_time": (filed + timedelta(hours=status)).isoformat(),
    }
    if status == PROCESSED:
        told["finished_at"] = told["source_time"]
    return told
