"""Publish the keys that verify rights and records."""

from fastapi import Request, Response

from gateway.operations.model import PUBLIC_S
from shared.web.bodies.strict_parsing import Router
from shared.web.published import PublishedKeySet, PublishedPage

router = Router(prefix="/.well-known", tags=["keys"])


@router.get("/right-keys.json", response_model=PublishedKeySet)
async def read_right_keys(request: Request) -> Response:
    """Return the JWKS of the keys that sign rights (`X-Right`)."""
    return PublishedPage.of_json(request.app.state.right_keys, seconds=PUBLIC_S).respond(request)


@router.get("/ledger-keys.json", response_model=PublishedKeySet)
async def read_ledger_keys(request: Request) -> Response:
    """Return the JWKS of the keys that seal the access ledger; `pem` is the same for openssl."""
    return PublishedPage.of_json(request.app.state.ledger_key_set, seconds=PUBLIC_S).respond(
        request
    )
