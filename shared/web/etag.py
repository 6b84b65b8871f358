"""Conditional requests (RFC 9110 §13).

If-Match keeps two writers from overwriting each other; If-None-Match saves sending a known version.
"""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Self

from fastapi import Depends, Header, Request, Response
from pydantic import WithJsonSchema
from starlette.datastructures import Headers

from shared.texts.translatable import Translatable
from shared.web.calls.internal_headers import LEDGER_HEADERS
from shared.web.list_headers import read_short_list
from shared.web.problems import ChangedMeanwhile, Problem, respond

_TAG = r'(?:W/)?"[!#-~]*"'
# A list may contain empty elements (RFC 9110 §5.6.1.2).
TAGS = re.compile(rf"\*|[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")
_EACH_TAG = re.compile(_TAG)
# The headers that a 304 repeats: those that keep the copy fresh, and those for the ledger.
_REPEATED_HEADERS = LEDGER_HEADERS | {"cache-control", "etag", "vary"}


class PreconditionRequired(Problem):
    """A change states the version that it rests on, so that no other change is lost."""

    status = HTTPStatus.PRECONDITION_REQUIRED
    title = "If-Match is required for this change"
    type = "/problems/precondition-required"
    advice = "Read the resource first, and send its ETag as If-Match."


class PreconditionUnreadable(Problem):
    status = HTTPStatus.BAD_REQUEST
    title = "If-Match or If-None-Match holds no ETag"
    type = "/problems/precondition-unreadable"
    advice = 'Send an ETag as the answer had it, such as "7", with the quotation marks; or *.'


@dataclass(frozen=True)
class Precondition:
    """The tags of If-Match and of If-None-Match; None for an absent header."""

    match: frozenset[str] | None = None
    none_match: frozenset[str] | None = None

    @classmethod
    def of(cls, headers: Headers) -> Self:
        """Return the condition of a request; raise PreconditionUnreadable."""
        return cls(_read_tags(headers, "if-match"), _read_tags(headers, "if-none-match"))

    def is_met(self, tag: str) -> bool:
        """Compare strongly, byte by byte: neither a weak tag nor "01" is version 1 (§13.1.1)."""
        return self.match is None or "*" in self.match or tag in self.match

    def is_known(self, tag: str) -> bool:
        """Compare weakly: return whether the caller has the version of the tag (§13.1.2)."""
        if self.none_match is None:
            return False
        opaque = {tag_text.removeprefix("W/") for tag_text in self.none_match}
        return "*" in opaque or tag.removeprefix("W/") in opaque


def _read_tags(headers: Headers, name: str) -> frozenset[str] | None:
    if name not in headers:
        return None
    text = read_short_list(headers, name)
    if text is None and name == "if-none-match":
        return frozenset()  # no tag matches, and the caller gets the whole answer
    if text is None or not TAGS.fullmatch(text):
        raise PreconditionUnreadable
    return frozenset(("*",) if text == "*" else _EACH_TAG.findall(text))


# Optional for FastAPI, which would answer 422 to its absence instead of 428; the published
# description marks it as required.
_IfMatch = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "pattern": f"^({TAGS.pattern})$", "examples": ['"7"']}),
    Header(description="the ETag of the version that the change rests on"),
]


async def _read_condition(request: Request, if_match: _IfMatch = None) -> Precondition:
    if if_match is None:
        raise PreconditionRequired
    return Precondition.of(request.headers)


ExpectedVersion = Annotated[Precondition, Depends(_read_condition)]


def require_version(actual: int, expected: Precondition) -> None:
    """Raise ChangedMeanwhile unless the condition holds for the `actual` version."""
    tag = format_etag(actual)
    if not expected.is_met(tag) or expected.is_known(tag):
        raise ChangedMeanwhile(
            Translatable(
                "Read it again, and repeat the change with its new ETag, sent sign by sign: a "
                'weak one as W/"7" proves nothing.'
            ),
            version=actual,
        )


def evaluate_condition(request: Request, response: Response) -> Response:
    """Return the response to a GET under its condition, in the order of RFC 9110 §13.2.2.

    304 and 412 carry the headers for the ledger, because the caller learns about the data.
    """
    tag = response.headers.get("etag")
    if tag is None or request.method != "GET" or response.status_code != HTTPStatus.OK:
        return response
    condition = Precondition.of(request.headers)
    if not condition.is_met(tag):
        refused = respond(
            ChangedMeanwhile(Translatable("Read it again: this is not its version any more.")),
            request.scope,
        )
        refused.headers.update(_select_headers(response, LEDGER_HEADERS))
        return refused
    if condition.is_known(tag):
        return Response(
            status_code=HTTPStatus.NOT_MODIFIED,
            headers=_select_headers(response, _REPEATED_HEADERS),
        )
    return response


def _select_headers(response: Response, names: frozenset[str]) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name in names}


def format_etag(version: int) -> str:
    return f'"{version}"'


def build_created_headers(path: str, version: int) -> dict[str, str]:
    """Return the headers for the response to the creation of the resource at `path`."""
    return {"ETag": format_etag(version), "Location": path}


def set_etag(response: Response, version: int) -> None:
    response.headers["ETag"] = format_etag(version)
