from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from dossier_service.agencies.cache import AgencyRegister
from dossier_service.catalogue import routes as procedures
from dossier_service.catalogue.cache import ProcedureShelf
from dossier_service.dossiers.filing_limiter import Turns
from dossier_service.dossiers.routes import dossiers
from dossier_service.dossiers.routes import processing as handling
from dossier_service.settings import Settings
from shared.runtime.app import create_service


@asynccontextmanager
async def _memory(app: FastAPI) -> AsyncIterator[None]:
    app.state.shelf, app.state.register = ProcedureShelf(), AgencyRegister()
    app.state.turns = Turns()
    yield


def create_app(settings: Settings) -> FastAPI:
    return create_service(
        settings,
        title="Dossiers and the catalogue of procedures",
        prefix="/dossier/v1",
        routers=[procedures.router, dossiers.router, handling.router],
        resources=_memory,
        call_key=settings.call_key,
    )
