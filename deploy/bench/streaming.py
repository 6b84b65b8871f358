"""The memory of the gateway while bodies of a gibibyte pass through it, each way."""

import asyncio

from deploy.bench.cpu import read_peak_mib, reset_peak
from deploy.bench.figures import Figure
from deploy.bench.load import FIRST_ERROR, MEBIBYTE, Connection, LoadRequest, request
from deploy.bench.mesh import Mesh
from deploy.bench.processes import Server
from deploy.bench.upstream import PATH

GIBIBYTE = 1024 * MEBIBYTE
ROUNDS = 3
# No operation takes a larger body than a batch of pushed dossiers: a gibibyte is many of these.
UPLOAD, PUSH_PATH, SENDING_CLIENT = 8 * MEBIBYTE, "/sync/v1/dossiers", "external-h41"


async def measure_streaming(mesh: Mesh, gateway: Server) -> list[Figure]:
    size = int(GIBIBYTE * min(1.0, mesh.seconds(4) / 4))
    down = request("GET", f"{gateway.url}{PATH}?size={size}", mesh.headers())
    body = b"x" * UPLOAD
    up = request("POST", f"{gateway.url}{PUSH_PATH}", mesh.headers(SENDING_CLIENT), body)
    figures = []
    for name, sent, times in (("down", down, 1), ("up", up, size // UPLOAD)):
        before, peaks, speeds = read_peak_mib(gateway.pid), [], []
        for _ in range(ROUNDS):
            reset_peak(gateway.pid)
            seconds = await _pass(gateway, sent, times)
            peaks.append(read_peak_mib(gateway.pid))
            speeds.append(size / MEBIBYTE / seconds)
        title = f"1 GiB {name} through the gateway"
        figures += [
            Figure(f"{title}: peak memory", "MiB", peaks, reference=[before] * ROUNDS),
            Figure(f"{title}: speed", "MiB/s", speeds),
        ]
    return figures


async def _pass(gateway: Server, sent: LoadRequest, times: int) -> float:
    loop = asyncio.get_running_loop()
    transport, connection = await loop.create_connection(Connection, *gateway.address)
    started = loop.time()
    for _ in range(times):
        status = await connection.ask(sent)
        assert status < FIRST_ERROR, status
    transport.close()
    return loop.time() - started
