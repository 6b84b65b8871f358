"""The API pages: one document for all services, and Swagger UI, which is vendored, to read it."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, RedirectResponse
from starlette.staticfiles import StaticFiles

from gateway.openapi import ApiDescription

PAGES = Path(__file__).parents[1] / "pages"
# Everything from here; Swagger UI writes styles into its elements and has icons as data.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
)

router = APIRouter(include_in_schema=False)


@router.get("/")
async def start() -> RedirectResponse:
    return RedirectResponse("/docs")


@router.get("/docs")
async def docs() -> FileResponse:
    headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
    return FileResponse(PAGES / "docs.html", headers=headers)


@router.get("/openapi.json")
async def openapi(request: Request) -> dict[str, Any]:
    description: ApiDescription = request.app.state.description
    return await description.document()


router.mount("/docs/files", StaticFiles(directory=PAGES))
