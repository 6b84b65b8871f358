"""Clients of services: one place opens them."""

import ssl
from typing import Any

import pytest

from shared.web.http_client import open_client


async def test_clients_of_a_process_read_the_trusted_certificates_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads: list[object] = []
    load = ssl.SSLContext.load_verify_locations

    def note(context: ssl.SSLContext, *places: Any, **named: Any) -> None:
        reads.append(context)
        load(context, *places, **named)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", note)
    async with open_client(), open_client():
        assert len(reads) <= 1
