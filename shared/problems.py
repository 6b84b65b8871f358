"""Errors a caller can act on, answered as RFC 9457 problem details."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType, TracebackType
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException

from shared.database import is_outage, is_refused_value
from shared.telemetry import current_trace_id

log = structlog.get_logger()

RETRY_AFTER = MappingProxyType({"Retry-After": "2"})


class Problem(Exception):  # noqa: N818 -- named as RFC 9457 names it
    """Base of every expected error. A subclass sets `status`, `title` and its own `type`."""

    status: HTTPStatus
    title: str
    type: str = "about:blank"
    headers: Mapping[str, str] | None = None

    def __init__(self, detail: str | None = None, **extra: Any) -> None:
        super().__init__(detail or self.title)
        self.detail, self.extra = detail, extra

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"type": self.type, "title": self.title, "status": self.status.value}
        if self.detail:
            body["detail"] = self.detail
        return body | self.extra


class Unavailable(Problem):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "A part of the service is away; try again"
    type = "/problems/unavailable"
    headers = RETRY_AFTER


class ChangedMeanwhile(Problem):
    status = HTTPStatus.PRECONDITION_FAILED
    title = "Somebody changed it since you read it"
    type = "/problems/changed-meanwhile"


class Invalid(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The request does not have the expected shape"
    type = "/problems/invalid-request"


class ProblemResponse(JSONResponse):
    media_type = "application/problem+json"


class _Plain(Problem):
    def __init__(self, status: HTTPStatus, detail: str | None = None) -> None:
        self.status, self.title = status, status.phrase
        super().__init__(detail)


def respond(problem: Problem) -> ProblemResponse:
    trace = {"trace_id": trace_id} if (trace_id := current_trace_id()) else {}
    return ProblemResponse(problem.body() | trace, problem.status, problem.headers)


def problem_for(error: Exception) -> Problem:
    """What the caller is told of an error that no use case raised on purpose."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, StaleDataError):
        return ChangedMeanwhile("Read it again and repeat the change with its new ETag.")
    if is_outage(error):
        log.warning("answered_unavailable", error=type(error).__name__)
        return Unavailable()
    if is_refused_value(error):
        log.warning("answered_invalid", error=type(error).__name__)
        return Invalid("A value holds what the database cannot keep, such as the character NUL.")
    # What went wrong is for the log: an exception's text can carry a secret or a name.
    log.error("unexpected_error", error=type(error).__name__, exc_info=_place(error))
    return _Plain(HTTPStatus.INTERNAL_SERVER_ERROR)


def _place(error: Exception) -> tuple[type[Exception], Exception, TracebackType | None]:
    """The traceback without the message, in which drivers repeat the row they refused."""
    return Exception, Exception(type(error).__name__), error.__traceback__


def where_and_what(error: Mapping[str, Any]) -> dict[str, str]:
    """Never the value, which may be somebody's name or number; nor a field's name of their own."""
    place, what = [str(part) for part in error["loc"]], error["msg"]
    if error["type"] == "extra_forbidden":
        place[-1] = "(unknown field)"
    if error["type"] == "union_tag_invalid":
        what = f"Input should be one of {error['ctx']['expected_tags']}"
    return {"at": ".".join(place), "is": what}


def install(app: FastAPI) -> None:
    @app.exception_handler(Problem)
    async def _expected(_: Request, problem: Problem) -> ProblemResponse:
        return respond(problem)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> ProblemResponse:
        return respond(Invalid(errors=[where_and_what(e) for e in error.errors()]))

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> ProblemResponse:
        if error.status_code == HTTPStatus.BAD_REQUEST:
            return respond(Invalid("The body is not JSON that can be read."))
        problem = _Plain(HTTPStatus(error.status_code), error.detail)
        problem.headers = error.headers
        return respond(problem)
