"""The story of one dossier, told through the public gateway only: `make demo`.

Each call is printed with its status and its time, and after it the state in each service. The first
difference from the expected state ends the story with exit code 1.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from deploy.demo.clients import Clients, Untrue, must
from deploy.demo.story import tell
from identity_service.sandbox.clients import BrokenSandboxFileError, read_secrets

GATEWAY = os.environ.get("GATEWAY_URL", "http://127.0.0.1:8000")
SANDBOX = Path(os.environ.get("SANDBOX_FILE", ".run/sandbox.json"))


def sandbox_secrets() -> Mapping[str, str]:
    secrets = read_secrets(SANDBOX)
    must(secrets, f"{SANDBOX} has the clients of a sandbox; it is written where SANDBOX is true")
    return secrets


async def main(secrets: Mapping[str, str]) -> None:
    async with httpx.AsyncClient(base_url=GATEWAY, timeout=10) as http:
        await tell(Clients(http, secrets))
    print("\nAll of it held.")


if __name__ == "__main__":
    try:
        asyncio.run(main(sandbox_secrets()))
    except BrokenSandboxFileError as damage:
        sys.exit(str(damage))
    except (Untrue, OSError, httpx.HTTPError) as failure:
        print(f"\nNot true: {str(failure) or type(failure).__name__}", file=sys.stderr)
        sys.exit(1)
