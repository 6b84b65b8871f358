"""Extract the texts for persons from the code and from the document of the API."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from babel.messages.extract import extract_from_file

from deploy.problem_types.classes import PACKAGES, list_problem_classes
from deploy.problem_types.document import read_docstring
from deploy.schemas import openapi
from deploy.services import SERVICES
from deploy.texts.library_texts import list_library_texts
from gateway.api_docs.openapi import merge_api_documents
from gateway.api_docs.translation import map_texts
from gateway.operations.model import Service
from shared.texts.catalogues import OPENAPI, PROBLEMS
from shared.texts.translatable import Translatable

ROOT = Path(__file__).parents[2]
_KEYWORDS = {"Translatable": None}

Places = Mapping[str, set[str]]
Found = Iterable[tuple[str, str]]


def extract_texts() -> Mapping[str, Places]:
    """Return the texts of each domain with their places; the API has no text of a problem."""
    problems = _collect_places([*_list_literals(), *_list_class_texts(), *list_library_texts()])
    api = _collect_places(_list_api_texts())
    return {
        PROBLEMS: problems,
        OPENAPI: {text: places for text, places in api.items() if text not in problems},
    }


def _collect_places(found: Found) -> Places:
    places: dict[str, set[str]] = defaultdict(set)
    for text, place in found:
        if text:
            places[text].add(place)
    return places


def _list_literals() -> Iterator[tuple[str, str]]:
    """Yield the templates that the code names."""
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            for _, text, _, _ in extract_from_file("python", file, keywords=_KEYWORDS):
                yield str(text), file.relative_to(ROOT).as_posix()


def _list_class_texts() -> Iterator[tuple[str, str]]:
    for problem in list_problem_classes():
        place = problem.__module__.replace(".", "/") + ".py"
        for text in (problem.title, problem.advice, read_docstring(problem)):
            yield text, place


def _list_api_texts() -> Iterator[tuple[str, str]]:
    described = {Service(service.short): dict(openapi(name)) for name, service in SERVICES.items()}
    found = list[str]()

    def note(text: str) -> str:
        found.extend(_list_templates(text))
        return text

    map_texts(merge_api_documents(described), note)
    yield from ((text, "openapi.json") for text in found)


def _list_templates(text: str) -> Iterator[str]:
    """Yield the texts that a joined text consists of, or the text itself."""
    inner = getattr(text, "values", {}).values() if isinstance(text, Translatable) else ()
    parts = [value for value in inner if isinstance(value, Translatable)]
    if parts:
        for part in parts:
            yield from _list_templates(part)
    else:
        yield text.template if isinstance(text, Translatable) else text
