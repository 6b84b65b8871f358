"""Expected errors, answered as problem details (RFC 9457)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from types import MappingProxyType, TracebackType
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from shared.database.errors import is_outage, is_refused_value
from shared.observability.tracing import read_trace_id
from shared.texts.catalogues import translate_members
from shared.texts.languages import Language, read_language
from shared.texts.translatable import Translatable
from shared.web.bodies.schema_navigator import SchemaNavigator
from shared.web.bodies.validation_messages import RefusedBody, list_faults
from shared.web.calls.internal_headers import SUBJECT_HEADER

log = structlog.get_logger()

_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
RETRY_AFTER = MappingProxyType({"Retry-After": "2"})


class Problem(Exception):  # noqa: N818 -- named as RFC 9457 names it
    """The base of every expected error. A subclass sets `status`, `title` and its own `type`.

    `advice` is the default detail, which says how to correct the request. Title, detail and every
    translatable text of the further members are answered in the language of the caller.
    """

    status: HTTPStatus
    title: str
    type: str = "about:blank"
    headers: Mapping[str, str] | None = None
    advice: str = ""

    def __init__(self, detail: Translatable | None = None, **extra: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or Translatable.of_library(self.advice)
        self.extra = extra

    def body(self) -> dict[str, Any]:
        title = Translatable.of_library(self.title)
        body = {"type": self.type, "title": title, "status": self.status.value}
        return body | {"detail": self.detail} | self.extra


class Unavailable(Problem):
    """A database or another part cannot be reached now, or the rights are not loaded yet."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "A part of the service is unavailable"
    type = "/problems/unavailable"
    headers = RETRY_AFTER
    advice = "Nothing was done. Try again after the seconds of Retry-After."


class ChangedMeanwhile(Problem):
    """The ETag of If-Match is not that of the present version."""

    status = HTTPStatus.PRECONDITION_FAILED
    title = "The resource was changed since it was read"
    type = "/problems/changed-meanwhile"
    advice = "Read it again and repeat the change with its new ETag."


class Invalid(Problem):
    """The body, the query or a header does not fit the document of the API."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The request does not have the expected form"
    type = "/problems/invalid-request"
    advice = "Correct each place that `errors` names."


class MediaTypeNotTaken(Problem):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    title = "The media type of the body is not accepted"
    type = "/problems/media-type-not-taken"
    headers = MappingProxyType({"Accept": "application/json"})
    advice = "Send the body with the header Content-Type: application/json."


class ProblemResponse(JSONResponse):
    media_type = "application/problem+json"


class _PlainProblem(Problem):
    def __init__(
        self, status: HTTPStatus, detail: Translatable, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status, self.title, self.headers = status, status.phrase, headers
        super().__init__(detail)


@contextmanager
def name_subject_on_problems(person: str | None) -> Iterator[None]:
    """Name the person on each problem raised within, because the ledger records refusals too."""
    try:
        yield
    except Problem as refusal:
        if person is not None:
            refusal.headers = {**(refusal.headers or {}), SUBJECT_HEADER: person}
        raise


def respond(problem: Problem, scope: Scope) -> ProblemResponse:
    """Return the answer to the request of `scope`, in the language that it prefers."""
    language = read_language(scope)
    headers = {**(problem.headers or {}), **name_language(language)}
    return ProblemResponse(build_traced_body(problem, language), problem.status, headers)


def build_traced_body(problem: Problem, language: Language) -> dict[str, Any]:
    trace = {"trace_id": trace_id} if (trace_id := read_trace_id()) else {}
    body: dict[str, Any] = translate_members(problem.body(), language)
    return body | trace


def name_language(language: Language) -> dict[str, str]:
    """Return the headers of an answer whose language the caller chooses."""
    return {"Content-Language": language, "Vary": "Accept-Language"}


def find_problem(error: Exception) -> Problem:
    """Return the problem that answers any error."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, StaleDataError):
        return ChangedMeanwhile()
    if is_outage(error):
        log.warning("answered_unavailable", error=type(error).__name__)
        return Unavailable()
    if is_refused_value(error):
        log.warning("answered_invalid", error=type(error).__name__)
        return Invalid(
            Translatable("A value holds what the database cannot keep, such as the character NUL.")
        )
    # Only the log gets the traceback; the text of an exception may hold a secret or a name.
    log.error("unexpected_error", error=type(error).__name__, exc_info=_keep_traceback(error))
    return _PlainProblem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        Translatable("Report the trace_id of this answer to the operator of the mesh."),
    )


def _keep_traceback(error: Exception) -> tuple[type[Exception], Exception, TracebackType | None]:
    """Return the traceback without the message, in which drivers repeat the refused row."""
    return Exception, Exception(type(error).__name__), error.__traceback__


def install_handlers(app: FastAPI) -> None:
    @app.exception_handler(Problem)
    async def _expected(request: Request, problem: Problem) -> ProblemResponse:
        return respond(problem, request.scope)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> ProblemResponse:
        if isinstance(error.body, bytes):
            return respond(MediaTypeNotTaken(), request.scope)
        path = request.scope["route"].path
        shape = SchemaNavigator.of_request(request.app.openapi(), path, request.method)
        errors = error.errors()
        count = len(errors)
        refused: RefusedBody | None = getattr(request.state, "refused_body", None)
        if refused:
            beside = [fault for fault in errors if fault["loc"][0] != "body"]
            errors, count = [*beside, *refused.errors], len(beside) + refused.count
        return respond(Invalid(**list_faults(errors, count, shape)), request.scope)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> ProblemResponse:
        status, headers = HTTPStatus(error.status_code), error.headers
        detail = Translatable.of_library(error.detail)
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = ", ".join(_list_allowed_methods(request))
            detail = Translatable("Use one of: {methods}.", methods=allowed)
            headers = {"Allow": allowed}
        elif status is HTTPStatus.NOT_FOUND:
            detail = Translatable(
                "Nothing is at this path; the API pages at /docs list all that is."
            )
        return respond(_PlainProblem(status, detail, headers), request.scope)


def _list_allowed_methods(request: Request) -> list[str]:
    """Return the methods of all routes that match the path."""

    def is_known(method: str) -> bool:
        scope = {**request.scope, "method": method}
        routes: Sequence[BaseRoute] = request.app.router.routes
        return any(route.matches(scope)[0] is Match.FULL for route in routes)

    known = [method for method in _METHODS if is_known(method)]
    return sorted([*known, "HEAD"]) if "GET" in known else known
