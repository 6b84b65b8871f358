"""The answer to a request that made a thing."""

from http import HTTPStatus
from typing import TypeVar

from fastapi import Response
from pydantic import BaseModel

from shared.web.etag import created_headers
from shared.web.idempotency import Once

Answer = TypeVar("Answer", bound=BaseModel)


async def answer_created(
    answer: Answer, path: str, version: int, *, once: Once, response: Response
) -> Answer:
    """Return the thing at `path` as it is answered, with ETag and Location, also to a repeat."""
    headers = created_headers(path, version)
    response.headers.update(headers)
    return await once.remember(answer, HTTPStatus.CREATED, headers)
