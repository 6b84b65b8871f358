"""The public keys: whoever checks a right or a record takes them from here."""

from typing import Any

from fastapi import Request

from shared.reading import Router

router = Router(prefix="/.well-known", tags=["keys"])


@router.get("/right-keys.json")
async def right_keys(request: Request) -> dict[str, Any]:
    """JWKS of the keys that sign rights (`X-Right`)."""
    keys: dict[str, Any] = request.app.state.right_keys
    return keys


@router.get("/ledger-keys.json")
async def ledger_keys(request: Request) -> dict[str, Any]:
    """JWKS of the keys that seal the access ledger; `pem` is the same key as openssl reads it."""
    keys: dict[str, Any] = request.app.state.ledger_key_set
    return keys
