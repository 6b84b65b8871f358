"""A wire to the database that can fall silent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy import URL


class Wire:
    """To the database and back; `silent` swallows what is said on it, and ends nothing."""

    def __init__(self, url: URL) -> None:
        self.port, self.connections, self.silent = 0, 0, False
        self._url = url

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there = await asyncio.open_unix_connection(f"{self._url.query['host']}/.s.PGSQL.5432")
        with suppress(OSError):
            await asyncio.gather(self._pump(reader, there[1]), self._pump(there[0], writer))
        writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while said := await reader.read(65_536):
            if not self.silent:
                writer.write(said)
        writer.close()


@asynccontextmanager
async def wire_to(url: URL) -> AsyncIterator[Wire]:
    wire = Wire(url)
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()
