"""The answers to requests that make or change a thing, kept for a repeat of the request."""

from http import HTTPStatus
from typing import TypeVar

from fastapi import Response
from pydantic import BaseModel

from shared.web.etag import build_created_headers
from shared.web.idempotency import IdempotencyClaim, changed_response, stored_response

Answer = TypeVar("Answer", bound=BaseModel)

PROPOSED_DESCRIPTION = "Waits for a second operator, who sends the same"


async def answer_created(
    answer: Answer, path: str, version: int, *, idempotency: IdempotencyClaim, response: Response
) -> Answer:
    """Return the thing at `path` as it is answered, with ETag and Location, also to a repeat."""
    headers = build_created_headers(path, version)
    response.headers.update(headers)
    return idempotency.store_response(answer, HTTPStatus.CREATED, headers)


async def answer_changed(
    idempotency: IdempotencyClaim, answer: BaseModel, version: int
) -> Response:
    """Return the changed thing with its ETag, also to a repeated request."""
    return changed_response(answer, idempotency, version=version)


async def answer_once(
    idempotency: IdempotencyClaim,
    answer: BaseModel,
    status: HTTPStatus,
    headers: dict[str, str] | None = None,
) -> Response:
    """Keep the answer for a repeated request, and return it."""
    return stored_response(answer, idempotency, status, headers or {})
