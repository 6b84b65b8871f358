from pathlib import Path

from fastapi import FastAPI

from shared.runtime.app import create_service
from sync_service.indicators import routes as indicators
from sync_service.intake import routes as intake
from sync_service.intake.push_limiter import open_push_limiter
from sync_service.national_view import routes as national_view
from sync_service.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    return create_service(
        settings,
        title="National view of dossiers: status sync and indicators",
        prefix="/sync/v1",
        routers=[intake.router, national_view.router, indicators.router],
        resources=open_push_limiter,
        call_key=settings.call_key,
        examples=Path(__file__).with_name("examples.yaml"),
    )
