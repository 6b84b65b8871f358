from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from dossier_service.agencies.cache import AgencyCache
from dossier_service.catalogue import routes as procedures
from dossier_service.catalogue.cache import ProcedureCache
from dossier_service.dossiers.filing_limiter import FilingLimiter
from dossier_service.dossiers.routes import dossiers, processing
from dossier_service.settings import Settings
from shared.runtime.app import create_service


@asynccontextmanager
async def _open_resources(app: FastAPI) -> AsyncIterator[None]:
    app.state.procedure_cache, app.state.agency_cache = ProcedureCache(), AgencyCache()
    app.state.filing_limiter = FilingLimiter()
    yield


def create_app(settings: Settings) -> FastAPI:
    return create_service(
        settings,
        title="Dossiers and the catalogue of procedures",
        prefix="/dossier/v1",
        routers=[procedures.router, dossiers.router, processing.router],
        resources=_open_resources,
        call_key=settings.call_key,
        examples=Path(__file__).with_name("examples.yaml"),
    )
