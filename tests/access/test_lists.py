"""A cursor goes on in its own list, however that is written, and in no other list."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from deploy.schemas import openapi
from deploy.services import SERVICES
from shared.codes.agency import AgencyCode, qcvn_agency_code
from shared.codes.procedure import ProcedureCode
from shared.codes.time import VIET_NAM, IsoInstant
from tests.access import paged
from tests.access.country import Country
from tests.access.paged import LISTER, PURPOSE, PagedList
from tests.access.samples import Things
from tests.contracts.comparing import operations

REFUSED = (400, "/problems/cursor-unreadable")
DESCRIBED = {
    name: operation
    for service in SERVICES
    for name, operation in operations(openapi(service)).items()
}


def write_agency(code: str) -> str:
    older = qcvn_agency_code(code)
    assert older
    return older


def write_procedure(code: str) -> str:
    return f"{code[:8]}.{write_agency(code[9:])}"


def write_instant(instant: str) -> str:
    return datetime.fromisoformat(instant).astimezone(VIET_NAM).isoformat()


WRITERS: Sequence[tuple[Any, Callable[[str], str]]] = (
    (AgencyCode, write_agency),
    (ProcedureCode, write_procedure),
    (IsoInstant, write_instant),
)
# By the published pattern of a filter, the function that writes its value in the other form.
OTHER_FORMS = {TypeAdapter(kind).json_schema()["pattern"]: write for kind, write in WRITERS}


@dataclass(frozen=True)
class Word:
    """A word of a query; `pattern` is the published one of its values."""

    name: str
    required: bool
    pattern: str | None

    @classmethod
    def from_parameter(cls, parameter: Mapping[str, Any]) -> "Word":
        first, *_ = parameter["schema"].get("anyOf", [parameter["schema"]])
        return cls(parameter["name"], parameter["required"], first.get("pattern"))


WORDS = {
    name: [Word.from_parameter(each) for each in described["parameters"] if each["in"] == "query"]
    for name, described in DESCRIBED.items()
    if "parameters" in described
}
# A list is an operation with a cursor, so that the tests below hold a new one as well.
LISTS = [name for name, words in WORDS.items() if "after" in {word.name for word in words}]


def write_otherwise(name: str, filters: Mapping[str, str]) -> dict[str, str]:
    """The same filters in another order, each code and instant in its other form."""
    writing = {word.name: OTHER_FORMS.get(word.pattern or "", str) for word in WORDS[name]}
    return {word: writing[word](value) for word, value in reversed(list(filters.items()))}


def neighbours(name: str, paged_list: PagedList) -> Iterator[tuple[PagedList, str]]:
    """Lists that differ by one filter or by the path alone, and how each of them differs."""
    required = {word.name for word in WORDS[name] if word.required}
    for left_out in paged_list.filters.keys() - required:
        filters = {word: value for word, value in paged_list.filters.items() if word != left_out}
        yield PagedList(paged_list.path, filters), f"without {left_out}"
    if paged_list.other_path:
        yield PagedList(paged_list.other_path, paged_list.filters), "at another path"


async def ask(
    country: Country, name: str, paged_list: PagedList, **paging: str | int
) -> httpx.Response:
    method, _, template = name.partition(" ")
    headers = {
        "Authorization": f"Bearer {country.token(LISTER, 'G22')}",
        "X-Purpose": PURPOSE,
        "X-Officer": "officer-1",
    }
    path = template.format(**paged_list.path)
    params = paged_list.filters | paging
    return await country.ask(method, path, list(headers.items()), params=params)


def page_of(answer: httpx.Response) -> dict[str, Any]:
    """The page, which an indicator holds in a member of its own."""
    assert answer.status_code == 200, answer.text
    whole: dict[str, Any] = answer.json()
    page: dict[str, Any] = whole.get("groups", whole)
    return page


async def first_cursor(country: Country, name: str, paged_list: PagedList) -> str:
    following = page_of(await ask(country, name, paged_list, limit=1))["next"]
    assert isinstance(following, str), "the list has to hold two items"
    return following


@pytest.fixture(scope="module")
async def lists(country: Country, things: Things) -> Mapping[str, PagedList]:
    """By operation; `things` looks for the only dead letter, so that it has to be made before."""
    return await paged.make_lists(country)


async def test_each_list_is_tried_with_all_that_has_two_forms(
    lists: Mapping[str, PagedList],
) -> None:
    assert set(lists) == set(LISTS)
    for name, paged_list in lists.items():
        two_forms = {word.name for word in WORDS[name] if word.pattern in OTHER_FORMS}
        assert two_forms <= set(paged_list.filters), name
        assert ("{" in name) == bool(paged_list.path) == bool(paged_list.other_path), name


@pytest.mark.parametrize("name", LISTS)
async def test_cursor_goes_on_in_its_list_however_the_filters_are_written(
    country: Country, lists: Mapping[str, PagedList], name: str
) -> None:
    asked = lists[name]
    after = await first_cursor(country, name, asked)
    following = page_of(await ask(country, name, asked, limit=1, after=after))
    assert following.get("items", following.get("entries"))
    otherwise = PagedList(asked.path, write_otherwise(name, asked.filters))
    assert page_of(await ask(country, name, otherwise, limit=1, after=after)) == following


@pytest.mark.parametrize("name", LISTS)
async def test_cursor_is_refused_in_every_other_list(
    country: Country, lists: Mapping[str, PagedList], name: str
) -> None:
    after = await first_cursor(country, name, lists[name])
    others: Sequence[tuple[str, PagedList, str]] = [
        *((name, near, how) for near, how in neighbours(name, lists[name])),
        *((other, paged_list, "") for other, paged_list in lists.items() if other != name),
    ]
    taken = []
    for other, paged_list, how in others:
        answer = await ask(country, other, paged_list, after=after)
        if (answer.status_code, answer.json().get("type")) != REFUSED:
            taken.append(f"{other} {how}: {answer.status_code}")
    assert taken == []
