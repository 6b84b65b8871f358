"""Serve the API pages: the merged document, Swagger UI, which shows it, and types of problems."""

import mimetypes
from functools import cache
from http import HTTPStatus
from pathlib import Path
from string import Template

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from gateway.api_docs.openapi import ApiDescription
from gateway.api_docs.problem_pages import (
    build_problem_list,
    build_problem_page,
    prefers_html,
)
from gateway.api_docs.problem_types import read_problem_types
from gateway.api_docs.problems import ProblemTypeUnknown
from gateway.api_docs.sandbox_page import build_sandbox_page
from gateway.settings import Settings
from shared.texts.languages import Language, read_language
from shared.web.list_headers import read_short_list
from shared.web.published import PublishedPage

PAGES = Path(__file__).with_name("pages")
# Swagger UI needs inline styles and icons from data URLs.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
)

router = APIRouter(include_in_schema=False)


@router.get("/")
async def redirect_to_docs() -> RedirectResponse:
    return RedirectResponse("/docs")


@router.get("/docs")
async def show_docs_page(request: Request) -> Response:
    return _build_docs_page(_read_page_language(request)).respond(request)


@router.get("/openapi.json")
async def read_api_document(request: Request) -> Response:
    description: ApiDescription = request.app.state.description
    return (await description.read_merged_page(_read_page_language(request))).respond(request)


@router.get("/docs/files/{name}")
async def read_page_file(name: str, request: Request) -> Response:
    if name not in _list_page_files():
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return _load_page_file(name).respond(request)


@router.get("/problems")
async def list_problem_types(request: Request) -> Response:
    html = prefers_html(read_short_list(request.headers, "accept") or "")
    return build_problem_list(html=html, language=_read_page_language(request)).respond(request)


@router.get("/problems/{name}")
async def read_problem_type(name: str, request: Request) -> Response:
    if name not in read_problem_types():
        raise ProblemTypeUnknown
    html = prefers_html(read_short_list(request.headers, "accept") or "")
    return build_problem_page(name, html=html, language=_read_page_language(request)).respond(
        request
    )


def _read_page_language(request: Request) -> Language:
    """Return the language of the query `lang`, so that a link can name it, else the preferred."""
    try:
        return Language(request.query_params.get("lang", ""))
    except ValueError:
        return read_language(request.scope)


@router.get("/sandbox")
async def show_sandbox_page(request: Request) -> Response:
    settings: Settings = request.app.state.settings
    if not settings.sandbox:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return build_sandbox_page(settings.issuer).respond(request)


@cache
def _build_docs_page(language: Language) -> PublishedPage:
    template = Template((PAGES / "docs.html").read_text(encoding="utf-8"))
    headers = {
        "Content-Language": language,
        "Content-Security-Policy": POLICY,
        "Vary": "Accept-Encoding, Accept-Language",
    }
    page = template.substitute(language=language)
    return PublishedPage.of(page.encode(), "text/html", headers)


@cache
def _list_page_files() -> frozenset[str]:
    return frozenset(file.name for file in PAGES.iterdir() if file.suffix != ".html")


@cache
def _load_page_file(name: str) -> PublishedPage:
    media_type = mimetypes.guess_type(name)[0] or "text/plain"
    return PublishedPage.of((PAGES / name).read_bytes(), media_type)
