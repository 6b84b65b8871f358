"""Two writers cannot overwrite each other: `ETag` out, `If-Match` in (RFC 9110 §13.1.1)."""

import re
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Header, Response
from pydantic import WithJsonSchema

from shared.problems import ChangedMeanwhile, Problem

# One strong tag, which is all that this comparison knows (RFC 9110 §13.1.1).
ETAG = re.compile(r'"([0-9]{1,18})"')


class PreconditionRequired(Problem):
    status = HTTPStatus.PRECONDITION_REQUIRED
    title = "Say which version you change"
    type = "/problems/precondition-required"


class PreconditionUnreadable(Problem):
    status = HTTPStatus.BAD_REQUEST
    title = "If-Match does not hold an ETag of this service"
    type = "/problems/precondition-unreadable"


# Optional to FastAPI, which would call its absence a wrong shape; required by what it describes.
_IfMatch = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "pattern": f"^{ETAG.pattern}$", "examples": ['"7"']}),
    Header(description="the ETag of what was read"),
]


async def _expected_version(if_match: _IfMatch = None) -> int:
    if if_match is None:
        raise PreconditionRequired("Read it first, and send its ETag as If-Match.")
    if not (match := ETAG.fullmatch(if_match)):
        raise PreconditionUnreadable(
            'Send the one ETag of what was read, as "7", with the quotation marks.'
        )
    return int(match[1])


ExpectedVersion = Annotated[int, Depends(_expected_version)]


def require_version(actual: int, expected: int) -> None:
    if actual != expected:
        raise ChangedMeanwhile(
            "Read it again and repeat the change with its new ETag.", version=actual
        )


def etag(version: int) -> str:
    return f'"{version}"'


def set_etag(response: Response, version: int) -> None:
    response.headers["ETag"] = etag(version)
