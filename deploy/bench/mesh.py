"""The running stack as a load sees it: tokens, rights, and the requests to send."""

import itertools
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
from pydantic import SecretStr

from deploy.bench.load import Address, LoadRequest, request
from deploy.dev_stack.commands import as_started
from deploy.dev_stack.stack import Stack, read_stack
from deploy.oauth import sign_in
from deploy.postgres import as_superuser
from deploy.services import SERVICES
from gateway.access.assertion import RightsSigner
from gateway.access.right_in_force import EffectiveRight
from identity_service.sandbox.clients import read_secrets
from identity_service.sandbox.generator import Person, generate_people
from shared.codes.time import unix_now
from shared.crypto.ed25519 import read_private_key
from shared.web.calls.internal_headers import (
    AGENCY_HEADER,
    CLIENT_HEADER,
    OFFICER_HEADER,
    PURPOSE_HEADER,
    RIGHT_HEADER,
)

PYTHON = sys.executable
PROCEDURE = "1.001193"
SEEDED_PEOPLE, SEED = 10_000, 1
# The one-stop system of the sandbox whose quota is wide enough to be measured.
ONE_STOP, ONE_STOP_AGENCY = "onestop-h26", "H26"
COMMUNES = 100


class Mesh:
    def __init__(self) -> None:
        self.url = os.environ["GATEWAY_URL"]
        parts = urlsplit(self.url)
        self.address: Address = parts.hostname or "127.0.0.1", parts.port or 80
        self._secrets = read_secrets(Path(os.environ["SANDBOX_FILE"]))

    @property
    def stack(self) -> Stack:
        return as_started(read_stack(os.environ))

    def database(self, service: str) -> AbstractAsyncContextManager[asyncpg.Connection]:
        return as_superuser(self.stack.admin_url, SERVICES[service].database)

    @property
    def is_trial(self) -> bool:
        """Return whether the run only shows that the parts work, and nothing of it is kept."""
        return bool(os.environ.get("SECONDS") or os.environ.get("DOSSIERS"))

    def seconds(self, usual: float) -> float:
        """Return the length of a run, unless SECONDS makes all of them short."""
        return float(os.environ.get("SECONDS") or usual)

    def headers(self, client: str = ONE_STOP) -> dict[str, str]:
        """Return headers with a new token for each part, because it lives for ten minutes."""
        signed_in = sign_in(self.url, client, self._secrets[client])
        return {**signed_in, PURPOSE_HEADER: PROCEDURE, OFFICER_HEADER: "bench"}

    def inner_headers(
        self, client: str, agency: str, operation: str, service: str
    ) -> dict[str, str]:
        """Return the headers for a service that trusts its caller (`deploy.bench.trusting`).

        The gateway sends them too, the right signed by its own key for a minute.
        """
        right = EffectiveRight(
            grants=("bench",),
            procedures=None,
            fields=None,
            agencies=None,
            ends=unix_now() + 3600,
        )
        pem = (self.stack.secrets / "gateway" / "rights_key").read_text()
        signer = RightsSigner(read_private_key("rights_key", SecretStr(pem)))
        signed = signer.sign_right_assertion(
            right, client=client, operation=operation, audience=service, now=unix_now()
        )
        named = {CLIENT_HEADER: client, AGENCY_HEADER: agency, RIGHT_HEADER: signed}
        return named | {PURPOSE_HEADER: PROCEDURE, OFFICER_HEADER: "bench"}

    def verifications(self, url: str = "", client: str = ONE_STOP) -> Iterator[LoadRequest]:
        """Yield verifications without end: the seeded people in random order, as registered."""
        target, headers = f"{url or self.url}/identity/v1/verifications", self.headers(client)
        made = [
            request("POST", target, headers, _claim(person))
            for person in generate_people(SEEDED_PEOPLE, seed=SEED)
        ]
        random.Random(SEED).shuffle(made)  # noqa: S311 -- an order, no secret
        return itertools.cycle(made)

    def filings(self, url: str = "", communes: int = COMMUNES) -> Iterator[LoadRequest]:
        target, headers = f"{url or self.url}/dossier/v1/dossiers", self.headers()
        for number in itertools.count():
            key = {"Idempotency-Key": str(uuid4())}
            yield request("POST", target, headers | key, make_filing(number, communes))


def _claim(person: Person) -> bytes:
    fields = ("personal_number", "full_name", "birth_date")
    return json.dumps({name: getattr(person, name) for name in fields}).encode()


def make_filing(number: int, communes: int = COMMUNES) -> bytes:
    """Return the body of a filing at one of `communes` communes, in turns."""
    desk = f"{ONE_STOP_AGENCY}.{101 + number % communes}"
    return json.dumps(
        {
            "procedure": PROCEDURE,
            "channel": 2,
            "applicant": {
                "kind": 1,
                "name": "Nguyễn Văn An",
                "personal_number": "001090000001",
                "birth_date": "1990-05-14",
            },
            "received_by": desk,
            "decided_by": desk,
            "documents": [{"paper": "TP01", "name": "Giấy chứng sinh", "kind": "original"}],
        }
    ).encode()


def service_environment(service: str) -> Mapping[str, str]:
    return as_started(read_stack(os.environ)).service_environment(SERVICES[service])


def run_as(service: str, *command: str, **changed: str) -> str:
    """Run a command of a service to its end and return its output; raise where it fails."""
    told = subprocess.run(
        [PYTHON, *command],
        env={**service_environment(service), **changed},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return told.stdout
