"""A gateway that never writes its records, to measure the ledger. No setting leads here.

It is started as the gateway is; only its processes are made by `from_environment` below.
"""

import asyncio
from typing import Any
from unittest.mock import patch

from granian.server import Server

from gateway import main
from gateway.ledger.record_draft import AccessRecordDraft
from gateway.ledger.writer import LedgerWriter
from gateway.operations.model import Operation
from gateway.settings import Settings
from shared.observability.logging import configure_logging


class NoWriter(LedgerWriter):
    """A writer that confirms each record at once and writes none."""

    def require_open(self, operation: Operation) -> None:
        pass

    async def record(self, _: AccessRecordDraft) -> bytes:
        return b"head=::, signature=::"

    def announce(self, draft: AccessRecordDraft) -> None:
        pass

    def note(self, draft: AccessRecordDraft) -> None:
        pass

    async def check_held(self) -> None:
        pass

    async def write(self) -> None:
        await asyncio.Event().wait()


def from_environment() -> Any:
    patch.object(main, "LedgerWriter", NoWriter).start()
    return main.create_app_from_environment()


def serve() -> None:
    settings = Settings.read()
    configure_logging(settings)
    with patch.object(main, "Server", _make_server):
        main.serve(settings)


def _make_server(_target: str, **settings: Any) -> Any:
    return Server("deploy.bench.unledgered:from_environment", **settings)


if __name__ == "__main__":
    serve()
