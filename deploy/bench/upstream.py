"""The least FastAPI application there is: what gateway and nginx pass the same calls on to."""

from fastapi import FastAPI

BODY = {"payload": "x" * 1000}


def create_app() -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.get("/dossier/v1/procedures/1.001193")
    async def read() -> dict[str, str]:
        return BODY

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {}

    return app
