"""Repeats of a write by `Idempotency-Key`: it takes effect once, and keys are stored for a day.

The key is claimed in the transaction of the effect. A repeat that arrives while the first request
is under way waits for it on the unique index, and then receives the first response.
"""

import hmac
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated, TypeVar

import orjson
from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel, WithJsonSchema
from sqlalchemy import DateTime, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from shared.codes.persons.personal_numbers import ADVICE, holds_personal_number
from shared.database.bulk import delete_in_slices
from shared.database.deferred import defer_write
from shared.database.session import Base
from shared.texts.translatable import Translatable
from shared.web.calls.auth import CallContext, Caller
from shared.web.dependencies import Session
from shared.web.etag import build_created_headers, format_etag
from shared.web.problems import Problem

RETENTION_HOURS = 24
MAX_KEY_CHARACTERS = 200
REPLAYED_HEADER = "Idempotent-Replayed"

ResponseType = TypeVar("ResponseType", bound=BaseModel)


class IdempotencyKey(Base):
    __tablename__ = "idempotency_key"

    client: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request: Mapped[bytes]
    status: Mapped[int | None]
    body: Mapped[str | None]
    headers: Mapped[dict[str, str] | None] = mapped_column(JSONB)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


# Texts, because building these statements anew for every write costs measurable time.
_CLAIM = text(
    "INSERT INTO idempotency_key (client, key, request) VALUES (:client, :key, :request)"
    " ON CONFLICT DO NOTHING RETURNING true"
)
_STORE = (
    "UPDATE idempotency_key SET status = :first_status, body = :first_body,"
    " headers = CAST(:first_headers AS jsonb) WHERE client = :key_client AND key = :key"
)


class KeyUsedOtherwise(Problem):
    """The key was sent with another body, officer, purpose, dossier or right before."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "This Idempotency-Key was used for another request"
    type = "/problems/idempotency-key-reused"
    advice = "Use a new key for a new request; repeat a request unchanged, by the same officer."


class KeyUnreadable(Problem):
    """The key is too long, is not printable, holds a personal number, or has just expired."""

    status = HTTPStatus.BAD_REQUEST
    title = "The Idempotency-Key cannot be used"
    type = "/problems/idempotency-key-unreadable"
    advice = "Use a new UUID for each new request."


class Replayed(Exception):  # noqa: N818 -- not an error: the response exists already
    """The request is a repeat; its first response bypasses the route."""

    def __init__(self, response: Response) -> None:
        self.response = response


class IdempotencyClaim:
    """The claim of an idempotency key by the running request, which must store its response."""

    def __init__(self, session: AsyncSession, client: str, key: str | None) -> None:
        self._session, self._client, self._key = session, client, key

    def store_response(
        self, answer: ResponseType, status: HTTPStatus, headers: dict[str, str] | None = None
    ) -> ResponseType:
        self.store_body(answer.model_dump_json(by_alias=True), status, headers or {})
        return answer

    def store_body(self, body: str, status: HTTPStatus, headers: Mapping[str, str]) -> None:
        """Store a response whose body is JSON text; the write is deferred until commit."""
        if self._key is None:
            return
        first = {
            "key_client": self._client,
            "key": self._key,
            "first_status": status.value,
            "first_body": body,
            "first_headers": orjson.dumps(dict(headers)).decode(),
        }
        defer_write(self._session, _STORE, first)


_IdempotencyKey = Annotated[
    str | None,
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_KEY_CHARACTERS,
            # HTTP strips blanks at both ends.
            "pattern": "^[ -~]*[!-~][ -~]*$",
            "examples": ["6f1c1d9e-6c2b-4f57-9d3c-0f6f1b7e1a55"],
        }
    ),
    Header(description="a new id for each change; a repeat with the same id has no second effect"),
]


async def _claim_key(
    request: Request,
    session: Session,
    caller: Caller,
    idempotency_key: _IdempotencyKey = None,
) -> IdempotencyClaim:
    if idempotency_key is None:
        return IdempotencyClaim(session, caller.client, None)
    # In other scripts the same text has several encodings.
    is_text = idempotency_key.isascii() and idempotency_key.isprintable()
    if not (is_text and 0 < len(idempotency_key) <= MAX_KEY_CHARACTERS):
        raise KeyUnreadable(
            Translatable(
                "Use 1 to {count} printable characters of ASCII, a UUID for instance.",
                count=MAX_KEY_CHARACTERS,
            )
        )
    if holds_personal_number(idempotency_key):
        raise KeyUnreadable(
            Translatable("The key {advice}. A UUID is always taken.", advice=ADVICE)
        )
    digest = await _compute_digest(request, caller)
    claim = {"client": caller.client, "key": idempotency_key, "request": digest}
    if await session.scalar(_CLAIM, claim):
        return IdempotencyClaim(session, caller.client, idempotency_key)
    row = await session.get(IdempotencyKey, (caller.client, idempotency_key))
    if row is None:
        # The key expired between the two statements.
        raise KeyUnreadable(
            Translatable("The key has just expired; send the request with a new one.")
        )
    raise Replayed(_build_first_response(row, digest))


async def _compute_digest(request: Request, caller: CallContext) -> bytes:
    """Return the HMAC of the request, its purpose, officer and dossier, and its right's limits.

    A response fits one right. A repeat by another officer or for another purpose is another act,
    which must get its own record. The digest is keyed, because a reader of the table could guess a
    body with few possible values from a plain digest.
    """
    url, settings = request.url, request.app.state.settings
    parts = (request.method, url.path, url.query, request.headers.get("If-Match", ""))
    key = settings.digest_key.get_secret_value().encode()
    digest = hmac.new(key, "\n".join(parts).encode(), "sha256")
    for alternative in caller.right.alternatives:
        limits = (alternative.procedures, alternative.fields, alternative.agencies)
        digest.update(orjson.dumps([None if limit is None else sorted(limit) for limit in limits]))
    digest.update(orjson.dumps([caller.purpose, caller.officer, caller.dossier]))
    digest.update(await request.body())
    return digest.digest()


def _build_first_response(row: IdempotencyKey, digest: bytes) -> Response:
    if row.request != digest:
        raise KeyUsedOtherwise(
            Translatable(
                "Use a new key for a new request; repeat a request unchanged: by the same "
                "officer, with the same purpose and dossier, under the same right."
            )
        )
    return Response(
        row.body,
        row.status or HTTPStatus.OK,
        headers=(row.headers or {}) | {REPLAYED_HEADER: "true"},
        media_type="application/json",
    )


Idempotent = Annotated[IdempotencyClaim, Depends(_claim_key)]


def stored_response(
    answer: BaseModel,
    idempotency: IdempotencyClaim,
    status: HTTPStatus,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """Return the answer, and store it for a repeat of the request."""
    # The JSON is written once, for this response and for the repeat.
    body = answer.model_dump_json(by_alias=True)
    idempotency.store_body(body, status, headers)
    return Response(body, status, headers, media_type="application/json")


def changed_response(
    answer: BaseModel,
    idempotency: IdempotencyClaim,
    *,
    version: int,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """Return the changed resource with the ETag of its version, as `stored_response` does."""
    tagged = {"ETag": format_etag(version), **headers}
    return stored_response(answer, idempotency, status, tagged)


def created_response(
    answer: BaseModel, idempotency: IdempotencyClaim, *, path: str, version: int
) -> Response:
    """Return 201 for the new resource at `path`, with ETag and Location, as `stored_response`."""
    headers = build_created_headers(path, version)
    return stored_response(answer, idempotency, HTTPStatus.CREATED, headers)


async def delete_expired_keys(session: AsyncSession) -> None:
    await delete_in_slices(
        session, IdempotencyKey, f"at < now() - interval '{RETENTION_HOURS} hours'"
    )
