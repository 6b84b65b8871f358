"""Publish the keys that verify rights and records."""

from fastapi import Request, Response

from gateway.operations.model import PUBLIC_S
from shared.web.bodies.strict_parsing import Router
from shared.web.published import PublishedKeySet, PublishedPage

router = Router(prefix="/.well-known", tags=["keys"])


@router.get("/right-keys.json", response_model=PublishedKeySet)
async def read_right_keys(request: Request) -> Response:
    """Read the keys that verify rights.

    Return the JWKS (RFC 7517) of the keys that sign the header `X-Right`, in which the gateway
    states the right of each call to the services. Client systems do not need it.
    """
    return PublishedPage.of_json(request.app.state.right_keys, seconds=PUBLIC_S).respond(request)


@router.get("/ledger-keys.json", response_model=PublishedKeySet)
async def read_ledger_keys(request: Request) -> Response:
    """Read the keys that verify the access ledger.

    Return the JWKS (RFC 7517) of the keys that sign the seals of the access ledger. The member
    `pem` is the same key in the form that openssl reads.
    """
    return PublishedPage.of_json(request.app.state.ledger_key_set, seconds=PUBLIC_S).respond(
        request
    )
