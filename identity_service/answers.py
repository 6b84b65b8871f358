"""Build the responses to requests that create or change a resource, stored for a retry."""

from http import HTTPStatus
from typing import TypeVar

from fastapi import Response
from pydantic import BaseModel

from shared.web.etag import build_created_headers
from shared.web.idempotency import IdempotencyClaim, changed_response, stored_response

ResponseBody = TypeVar("ResponseBody", bound=BaseModel)

PROPOSED_DESCRIPTION = "The act waits until a second operator sends the same request"


async def answer_created(
    answer: ResponseBody,
    path: str,
    version: int,
    *,
    idempotency: IdempotencyClaim,
    response: Response,
) -> ResponseBody:
    """Return the resource created at `path`, with ETag and Location, and store the response."""
    headers = build_created_headers(path, version)
    response.headers.update(headers)
    return idempotency.store_response(answer, HTTPStatus.CREATED, headers)


async def answer_changed(
    idempotency: IdempotencyClaim, answer: BaseModel, version: int
) -> Response:
    """Return the changed resource with its ETag, and store the response."""
    return changed_response(answer, idempotency, version=version)


async def answer_once(
    idempotency: IdempotencyClaim,
    answer: BaseModel,
    status: HTTPStatus,
    headers: dict[str, str] | None = None,
) -> Response:
    """Store the response for a retry of the request, and return it."""
    return stored_response(answer, idempotency, status, headers or {})
