"""The running stack as a load sees it: tokens, requests, people and dossiers to send."""

import itertools
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx

from deploy.bench.load import Request, request
from deploy.local.commands import as_started
from deploy.local.stack import read_stack
from deploy.services import SERVICES
from identity_service.people import generate

GATEWAY = os.environ.get("GATEWAY_URL", "http://127.0.0.1:8000")
SANDBOX = Path(os.environ.get("SANDBOX_FILE", ".run/sandbox.json"))
PROCEDURE = "1.001193"
SEEDED_PEOPLE, SEED = 10_000, 1


class Mesh:
    def __init__(self) -> None:
        parts = urlsplit(GATEWAY)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        clients = json.loads(SANDBOX.read_text())["clients"]
        self._people = SEEDED_PEOPLE
        self._secrets = {each["client_id"]: each["client_secret"] for each in clients}

    def headers(self, client: str) -> dict[str, str]:
        """A new token for each part: one lives for ten minutes."""
        form = {
            "grant_type": "client_credentials",
            "client_id": client,
            "client_secret": self._secrets[client],
        }
        answer = httpx.post(f"{GATEWAY}/oauth/token", data=form, timeout=10).raise_for_status()
        token = answer.json()["access_token"]
        return {
            "Authorization": f"Bearer {token}",
            "X-Purpose": PROCEDURE,
            "X-Officer": "bench",
        }

    def verifications(self, client: str) -> Iterator[Request]:
        """Endless, of the seeded people in random order, each as the register has them."""
        url, headers = f"{GATEWAY}/identity/v1/verifications", self.headers(client)
        made = [
            request("POST", url, headers, _claim(person))
            for person in generate(SEEDED_PEOPLE, seed=SEED)
        ]
        random.Random(SEED).shuffle(made)  # noqa: S311 -- an order, no secret
        return itertools.cycle(made)

    def filings(self, client: str) -> Iterator[Request]:
        url, headers = f"{GATEWAY}/dossier/v1/dossiers", self.headers(client)
        for number in itertools.count():
            yield request("POST", url, headers | {"Idempotency-Key": str(uuid4())}, filing(number))

    def add_people(self, count: int) -> float:
        """People per second, as the command itself says at its end."""
        self._people += count
        command = [sys.executable, "-m", "identity_service.people", "--count", str(self._people)]
        told = subprocess.run(
            command, env=service_environment("identity_service"), check=True, capture_output=True
        ).stdout.decode()
        return float(told.split()[-2].replace(",", ""))


def _claim(person: object) -> bytes:
    fields = ("personal_number", "full_name", "birth_date")
    return json.dumps({name: getattr(person, name) for name in fields}).encode()


def filing(number: int) -> bytes:
    """A dossier at one of a hundred communes."""
    desk = f"H26.{101 + number % 100}"
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


def service_process(service: str, command: str, **changed: str) -> "subprocess.Popen[bytes]":
    """A further process of a service beside those of the stack, to be ended by the caller."""
    return subprocess.Popen(
        [sys.executable, "-m", "shared", service, command],
        env={**service_environment(service), **changed},
        stdout=subprocess.DEVNULL,
    )
