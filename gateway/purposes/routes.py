"""Publish the registered legal bases."""

from functools import cache

from fastapi import Request, Response

from gateway.operations.model import PUBLIC_S
from gateway.purposes.legal_bases import LegalBases, read_legal_bases
from shared.web.bodies.strict_parsing import Router
from shared.web.published import PublishedPage

router = Router(prefix="/.well-known", tags=["purposes"])


@router.get("/legal-bases.json", response_model=LegalBases)
async def list_legal_bases(request: Request) -> Response:
    """List the registered legal bases.

    Send the `code` of one of them as `X-Purpose` where a call serves no procedure. The register
    holds the legal texts that allow such access, with the days on which they are in force.
    """
    return _load_legal_bases_page().respond(request)


@cache
def _load_legal_bases_page() -> PublishedPage:
    legal_bases = LegalBases(items=list(read_legal_bases().values()))
    return PublishedPage.of_json(legal_bases.model_dump(mode="json"), seconds=PUBLIC_S)
