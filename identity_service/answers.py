"""The answers to requests that make or change a thing, kept for a repeat of the request."""

from http import HTTPStatus
from typing import TypeVar

from fastapi import Response
from pydantic import BaseModel

from shared.web.etag import build_created_headers, format_etag
from shared.web.idempotency import IdempotencyClaim

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
    return await answer_once(idempotency, answer, HTTPStatus.OK, {"ETag": format_etag(version)})


async def answer_once(
    idempotency: IdempotencyClaim,
    answer: BaseModel,
    status: HTTPStatus,
    headers: dict[str, str] | None = None,
) -> Response:
    """Keep the answer for a repeated request, and return it."""
    idempotency.store_response(answer, status, headers)
    body = answer.model_dump_json()
    return Response(body, status, headers, media_type="application/json")
