"""A process that writes to a ledger for ever and says which records are durable; for being killed.

`python -m tests.gateway.ledger.writing_process DATABASE_URL KEY_FILE`
"""

import asyncio
import sys
from itertools import count
from pathlib import Path

import structlog
from pydantic import SecretStr
from sqlalchemy import make_url

from gateway.ledger.record_draft import AccessRecordDraft
from gateway.ledger.records import AccessOutcome
from gateway.ledger.writer import LedgerWriter
from gateway.operations.table import OPERATIONS
from shared.crypto.ed25519 import read_private_key

WRITERS = 20


async def main(database_url: str, key_text: str) -> None:
    key = read_private_key("ledger_key", SecretStr(key_text))
    ledger = LedgerWriter(make_url(database_url), key)
    numbers = count()

    async def record_for_ever() -> None:
        while True:
            operation = OPERATIONS["POST /identity/v1/verifications"]
            draft = AccessRecordDraft(operation, f"request-{next(numbers)}", client="h26")
            draft.end_call(200, AccessOutcome.ALLOWED)
            await ledger.record(draft)
            # One write each: a line is whole, however this process ends.
            sys.stdout.write(f"{draft.request_id}\n")
            sys.stdout.flush()

    await asyncio.gather(ledger.write(), *(record_for_ever() for _ in range(WRITERS)))


if __name__ == "__main__":
    # Only the ids go to the standard output.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    database_url, key_file = sys.argv[1:]
    asyncio.run(main(database_url, Path(key_file).read_text()))
