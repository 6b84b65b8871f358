"""The keys that sign events: those of this service and those that other services publish."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fastapi import APIRouter, Request
from httpx import AsyncClient

from shared.crypto.ed25519 import build_key_set, read_private_key, read_public_keys
from shared.events import OWNERS
from shared.messaging.event_proofs import EventSigner, EventVerifier
from shared.settings import ServiceSettings
from shared.web.calls.auth import KeySet

PATH = "/.well-known/event-keys.json"


def make_event_signer(settings: ServiceSettings) -> EventSigner:
    """Return the signer of this service's events; raise KeyUnfitError for an invalid key."""
    return EventSigner(read_private_key("event_key", settings.event_key))


def list_event_public_keys(settings: ServiceSettings) -> Sequence[Ed25519PublicKey]:
    """Return the public keys for the events of this service, the present one first."""
    present = read_private_key("event_key", settings.event_key).public_key()
    return [present, *read_public_keys("event_keys_retired", settings.event_keys_retired)]


def build_event_key_set(settings: ServiceSettings) -> Mapping[str, Any]:
    """Return the public keys for the events of this service as JWKS."""
    return build_key_set(list_event_public_keys(settings))


def build_event_key_routes() -> APIRouter:
    """Return the route that publishes `app.state.event_keys`, set by the application's lifespan."""
    router = APIRouter(include_in_schema=False)

    @router.get(PATH)
    async def read_event_keys(request: Request) -> Mapping[str, Any]:
        keys: Mapping[str, Any] = request.app.state.event_keys
        return keys

    return router


def make_event_verifier(
    settings: ServiceSettings, http: AsyncClient, topics: Iterable[str]
) -> EventVerifier:
    """Trust, for each topic, the keys that its owner publishes."""
    owners = {OWNERS[topic] for topic in topics}
    return EventVerifier(
        {owner: KeySet(http, settings.service_urls[owner] + PATH) for owner in sorted(owners)}
    )
