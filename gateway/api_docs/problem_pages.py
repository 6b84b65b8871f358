"""Build the pages of the types of problems, in HTML and JSON."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from http import HTTPStatus
from pathlib import Path
from string import Template
from types import MappingProxyType

import orjson

from gateway.api_docs.problem_types import EVERY, ProblemType, read_problem_types
from gateway.operations.model import PUBLIC_S
from shared.web.published import PublishedPage

_FOLDER = Path(__file__).with_name("data")
# The pages have a style of their own, and load nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
_HEADERS: Mapping[str, str] = MappingProxyType(
    {"Cache-Control": f"public, max-age={PUBLIC_S}", "Vary": "Accept, Accept-Encoding"}
)
_CODE = re.compile(r"`([^`]+)`")


@cache
def build_problem_page(name: str, *, html: bool) -> PublishedPage:
    """Return the page of a type that exists."""
    problem_type = read_problem_types()[name]
    if html:
        return _publish_html(problem_type.title, _render_problem_type(problem_type))
    return _publish_json(problem_type.model_dump())


@cache
def build_problem_list(*, html: bool) -> PublishedPage:
    """Return the page that lists all types."""
    types = read_problem_types().values()
    if html:
        return _publish_html("Problems", _render_list(map(_render_link, types)))
    members = {"type", "status", "title"}
    return _publish_json(
        {"items": [problem_type.model_dump(include=members) for problem_type in types]}
    )


def _publish_json(content: object) -> PublishedPage:
    return PublishedPage.of(orjson.dumps(content), "application/json", _HEADERS)


def _publish_html(title: str, content: str) -> PublishedPage:
    template = Template((_FOLDER / "page.html").read_text(encoding="utf-8"))
    page = template.substitute(title=escape(title), content=content).encode()
    return PublishedPage.of(page, "text/html", {**_HEADERS, "Content-Security-Policy": _POLICY})


def _render_problem_type(problem_type: ProblemType) -> str:
    status = HTTPStatus(problem_type.status)
    operations = [
        "Every operation" if name == EVERY else f"`{name}`" for name in problem_type.operations
    ]
    sections = {
        "Type": [f"`{problem_type.type}`"],
        "Status": [f"{status.value} {status.phrase}"],
        "Meaning": problem_type.meaning,
        "How to mend it": problem_type.advice,
        "Operations": operations or ["None: the request reached no operation"],
    }
    return "".join(
        f"<h2>{heading}</h2>{_render_list(map(_render_text, texts))}"
        for heading, texts in sections.items()
        if texts
    )


def _render_link(problem_type: ProblemType) -> str:
    title = escape(problem_type.title)
    return f'<a href="{problem_type.type}">{problem_type.status}: {title}</a>'


def _render_text(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _render_list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def prefers_html(accept: str) -> bool:
    """Return whether the header Accept gives HTML a greater weight than JSON (RFC 9110 §12.5.1)."""
    weights = dict(map(_read_range, (accept or "*/*").lower().split(",")))
    return _find_weight(weights, "text/html") > _find_weight(weights, "application/json")


def _read_range(element: str) -> tuple[str, float]:
    media, *parameters = (part.strip() for part in element.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            return media, float(value) if re.fullmatch(r"[01](\.\d{0,3})?", value) else 0.0
    return media, 1.0


def _find_weight(weights: Mapping[str, float], media: str) -> float:
    """Return the weight of the most specific range that covers `media`, or 0."""
    ranges = (media, media.partition("/")[0] + "/*", "*/*")
    return next((weights[name] for name in ranges if name in weights), 0.0)
