"""Build the pages of the types of problems, in HTML and JSON."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from html import escape
from http import HTTPStatus
from pathlib import Path
from string import Template
from types import MappingProxyType

import orjson

from gateway.api_docs.problem_types import EVERY, ProblemType, read_problem_types
from gateway.operations.model import PUBLIC_S
from shared.texts.catalogues import translate_text
from shared.texts.languages import Language, read_weighted_range
from shared.texts.translatable import Translatable
from shared.web.published import PublishedPage

_FOLDER = Path(__file__).with_name("data")
# The pages have a style of their own, and load nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Cache-Control": f"public, max-age={PUBLIC_S}",
        "Vary": "Accept, Accept-Encoding, Accept-Language",
    }
)
_CODE = re.compile(r"`([^`]+)`")


@cache
def build_problem_page(name: str, *, html: bool, language: Language) -> PublishedPage:
    """Return the page of a type that exists."""
    problem_type = _translate_type(read_problem_types()[name], language)
    if html:
        content = _render_problem_type(problem_type, language)
        return _publish_html(problem_type.title, content, language)
    return _publish_json(problem_type.model_dump(), language)


@cache
def build_problem_list(*, html: bool, language: Language) -> PublishedPage:
    """Return the page that lists all types."""
    types = [_translate_type(kind, language) for kind in read_problem_types().values()]
    if html:
        title = translate_text(Translatable("Problems"), language)
        return _publish_html(title, _render_list(map(_render_link, types)), language)
    members = {"type", "status", "title"}
    items = [problem_type.model_dump(include=members) for problem_type in types]
    return _publish_json({"items": items}, language)


def _translate_type(problem_type: ProblemType, language: Language) -> ProblemType:
    return problem_type.model_copy(
        update={
            "title": translate_text(problem_type.title, language),
            "meaning": tuple(translate_text(text, language) for text in problem_type.meaning),
            "advice": tuple(translate_text(text, language) for text in problem_type.advice),
        }
    )


def _publish_json(content: object, language: Language) -> PublishedPage:
    headers = {**_HEADERS, "Content-Language": language}
    return PublishedPage.of(orjson.dumps(content), "application/json", headers)


def _publish_html(title: str, content: str, language: Language) -> PublishedPage:
    template = Template((_FOLDER / "page.html").read_text(encoding="utf-8"))
    page = template.substitute(
        language=language,
        title=escape(title),
        content=content,
        all_problems=translate_text(Translatable("All problems"), language),
        api=translate_text(Translatable("The API"), language),
    )
    headers = {**_HEADERS, "Content-Language": language, "Content-Security-Policy": _POLICY}
    return PublishedPage.of(page.encode(), "text/html", headers)


def _render_problem_type(problem_type: ProblemType, language: Language) -> str:
    status = HTTPStatus(problem_type.status)
    operations = [
        Translatable("Every operation") if name == EVERY else f"`{name}`"
        for name in problem_type.operations
    ]
    sections: Mapping[str, Sequence[str]] = {
        Translatable("Type"): [f"`{problem_type.type}`"],
        Translatable("Status"): [f"{status.value} {status.phrase}"],
        Translatable("Meaning"): problem_type.meaning,
        Translatable("How to mend it"): problem_type.advice,
        Translatable("Operations"): operations
        or [Translatable("None: the request reached no operation")],
    }
    return "".join(
        f"<h2>{translate_text(heading, language)}</h2>"
        + _render_list(_render_text(translate_text(text, language)) for text in texts)
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
    weights = dict(map(read_weighted_range, (accept or "*/*").lower().split(",")))
    return _find_weight(weights, "text/html") > _find_weight(weights, "application/json")


def _find_weight(weights: Mapping[str, float], media: str) -> float:
    """Return the weight of the most specific range that covers `media`, or 0."""
    ranges = (media, media.partition("/")[0] + "/*", "*/*")
    return next((weights[name] for name in ranges if name in weights), 0.0)
