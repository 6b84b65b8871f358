"""The application of every HTTP process; a service adds its routes and resources."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import SecretStr
from sqlalchemy import text
from starlette.datastructures import State

from shared.database.engine import open_database
from shared.database.session import SessionFactory
from shared.observability.tracing import start_tracing
from shared.runtime.event_keys import PATH as EVENT_KEYS_PATH
from shared.runtime.event_keys import build_event_key_routes, build_event_key_set
from shared.runtime.operator_routes import build_dead_letter_routes
from shared.settings import ServiceSettings
from shared.texts.catalogues import read_translations
from shared.texts.languages import Language
from shared.web import problems
from shared.web.calls.auth import RIGHTS_ISSUER, CallerCheck, KeySet, Verifier
from shared.web.calls.call_guard import CallGuard
from shared.web.calls.call_mac import CallVerifier
from shared.web.http_client import open_client
from shared.web.idempotency import Replayed
from shared.web.middleware import RequestMiddleware
from shared.web.openapi.examples import OperationExample, read_examples
from shared.web.openapi.service import DescribedService
from shared.web.single_flight import SingleFlight

AUDIENCE = "lien-thong"
CHECK_S = 2.0
# These reveal no secret. Others than the gateway call them, or the gateway without a caller.
OPEN_PATHS = frozenset(
    {"/healthz", "/readyz", "/metrics", "/.well-known/jwks.json", EVENT_KEYS_PATH}
)

_OPERATOR_EXAMPLES = Path(__file__).with_name("operator_examples.yaml")

Check = Callable[[], Awaitable[object]]
Checks = Mapping[str, Check]
Resources = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_service(
    settings: ServiceSettings,
    *,
    title: str,
    prefix: str,
    routers: Sequence[APIRouter],
    resources: Resources | None = None,
    call_key: SecretStr | None = None,
    examples: Path | None = None,
) -> FastAPI:
    """Create the application of a service.

    `prefix` is the service's part of the public path, such as `/dossier/v1`. A service with a
    `call_key` answers only the gateway. Without one it is the gateway itself, which calls its own
    routes within the process. `examples` is the file of the examples in its OpenAPI document.
    """
    app = DescribedService(
        examples=_read_examples(examples, prefix),
        title=title,
        version="1",
        lifespan=partial(_open_resources, settings, resources),
        openapi_url=f"{prefix}/openapi.json",
        docs_url=None,
        redoc_url=None,
        # The target would hold the Host header, which is the caller's, or reveal an internal name.
        redirect_slashes=False,
    )
    app.state.settings = settings
    common = build_dead_letter_routes(prefix), build_status_routes(), build_event_key_routes()
    for router in (*routers, *common):
        app.include_router(router)
    problems.install_handlers(app)
    app.add_exception_handler(Replayed, _send_first_response)
    if call_key:
        app.state.calls = CallVerifier(call_key.get_secret_value().encode())
        opened = {*OPEN_PATHS, f"{prefix}/openapi.json"}
        app.add_middleware(CallGuard, calls=app.state.calls, open_paths=opened)
    app.add_middleware(RequestMiddleware, logs_answers=call_key is not None)
    start_tracing(settings, app)
    return app


def _read_examples(path: Path | None, prefix: str) -> Mapping[str, OperationExample]:
    service = prefix.split("/")[1]
    paths = (_OPERATOR_EXAMPLES, path) if path else (_OPERATOR_EXAMPLES,)
    return {name: part for file in paths for name, part in read_examples(file, service).items()}


@asynccontextmanager
async def _open_resources(
    settings: ServiceSettings, resources: Resources | None, app: FastAPI
) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        app.state.sessions = await stack.enter_async_context(open_database(settings))
        app.state.event_keys = build_event_key_set(settings)
        app.state.callers = await stack.enter_async_context(open_caller_check(settings))
        app.state.checks = {"database": lambda: ping_database(app.state.sessions)}
        if resources:
            await stack.enter_async_context(resources(app))
        yield


def freeze_gc(app: FastAPI) -> None:
    """Move all imported objects out of the garbage collector's reach.

    A full collection over them would stall requests. The OpenAPI document and the catalogues are
    built before, because the first refused request would stall to build them.
    """
    app.openapi()
    for language in Language:
        read_translations(language)
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def open_caller_check(settings: ServiceSettings) -> AsyncIterator[CallerCheck]:
    async with open_client() as http:
        rights = KeySet(http, f"{settings.gateway_url}/.well-known/right-keys.json")
        yield CallerCheck(Verifier(rights, issuer=RIGHTS_ISSUER, audience=settings.name))


async def _send_first_response(_: Request, replayed: Exception) -> Response:
    assert isinstance(replayed, Replayed)
    return replayed.response


async def ping_database(sessions: SessionFactory) -> None:
    async with sessions() as session:
        await session.execute(text("SELECT 1"))


def build_status_routes() -> APIRouter:
    """Return the routes for liveness, readiness with the outcome of each check, and metrics."""
    router = APIRouter(include_in_schema=False)
    # The checks query a database, and the gateway's its services, so waiting callers share a run.
    look = SingleFlight(_run_all_checks)

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @router.get("/readyz")
    async def readyz(request: Request) -> JSONResponse:
        checks, reports = await look(request.app.state)
        ready = all(outcome == "ok" for outcome in checks.values())
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        content = {"ready": ready, "checks": checks} | ({"reports": reports} if reports else {})
        return JSONResponse(content, status)

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


async def _run_all_checks(state: State) -> tuple[dict[str, str], dict[str, str]]:
    """Return the outcomes of checks and of reports; reports do not affect readiness."""
    return await asyncio.gather(
        _run_checks(state.checks), _run_checks(getattr(state, "reports", {}))
    )


async def _run_checks(checks: Checks) -> dict[str, str]:
    checks_now = dict(checks)  # a check may be removed while the others still run
    outcomes = await asyncio.gather(*(_run_check(check) for check in checks_now.values()))
    return dict(zip(checks_now, outcomes, strict=True))


async def _run_check(check: Check) -> str:
    try:
        await asyncio.wait_for(check(), CHECK_S)
    except Exception as error:  # noqa: BLE001 -- any error means that it is not ready
        return type(error).__name__
    return "ok"
