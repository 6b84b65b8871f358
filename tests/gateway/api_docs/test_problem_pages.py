"""The type of each problem is the address of a page that explains it."""

import re
from html import escape, unescape
from inspect import cleandoc

import pytest

from deploy.problem_types.classes import list_problem_classes
from deploy.problem_types.document import serialise_problem_types
from gateway.api_docs.problem_pages import prefers_html
from gateway.api_docs.problem_types import EVERY, FILE, read_problem_types
from gateway.operations.model import Service
from gateway.operations.table import OPERATIONS
from shared.texts.catalogues import translate_text
from shared.texts.languages import Language
from tests.contracts.written import REGENERATE
from tests.support.gateway_harness import Gate

HTML, JSON = {"Accept": "text/html"}, {"Accept": "application/json"}
CLASSES = tuple(list_problem_classes())
TYPES = sorted({problem.type for problem in CLASSES})
ALL = set(OPERATIONS)
OF_RIGHTS = {name for name, operation in OPERATIONS.items() if not operation.public}
PERSONAL = {name for name, operation in OPERATIONS.items() if operation.personal}
DOSSIER = "/dossier/v1/dossiers/{code}"
# Changes that state the version which they rest on.
CHANGES = {
    *(f"POST {DOSSIER}/{act}" for act in ("payments", "progress", "results", "transitions")),
    "POST /identity/v1/agencies/{code}/reopening",
    "POST /identity/v1/clients/{client_id}/deactivation",
    "POST /identity/v1/clients/{client_id}/reactivation",
    "POST /identity/v1/grants/{grant_id}/revocation",
}
FORWARDED = {
    name for name, operation in OPERATIONS.items() if operation.service is not Service.GATEWAY
}
# The operations of some problems, worked out by hand.
OPERATIONS_OF = {
    "/problems/quota-spent": ALL,
    "/problems/unavailable": ALL,
    "/problems/unauthenticated": OF_RIGHTS,
    "/problems/not-allowed": OF_RIGHTS,
    "/problems/purpose-missing": PERSONAL,
    "/problems/method-not-allowed": set(),
    "/problems/call-not-proved": set(),
    "/problems/problem-type-unknown": set(),
    "/problems/precondition-required": CHANGES,
    "/problems/changed-meanwhile": CHANGES,
    "/problems/fee-paid-before": {f"POST {DOSSIER}/payments"},
    "/problems/transition-refused": {f"POST {DOSSIER}/transitions", f"POST {DOSSIER}/progress"},
    "/problems/upstream-away": FORWARDED,
    "/problems/not-responsible": {
        f"POST {DOSSIER}/{act}" for act in ("progress", "results", "transitions")
    },
    "/problems/time-unlikely": {"POST /dossier/v1/dossiers"},
    "/problems/guesses-spent": {"POST /identity/v1/verifications"},
    "/problems/grant-revoked": {"POST /identity/v1/grants/{grant_id}/revocation"},
    "/problems/record-unprovable": {"GET /ledger/v1/records/{record_id}/proof"},
    "/problems/period-unreadable": {"GET /sync/v1/indicators/{indicator}"},
    "/problems/grant-type-unsupported": {"POST /oauth/token"},
}


def list_operations(problem_type: str) -> set[str]:
    names = read_problem_types()[problem_type.rpartition("/")[2]].operations
    return ALL if names == (EVERY,) else set(names)


def test_list_is_that_of_the_classes() -> None:
    assert FILE.read_text(encoding="utf-8") == serialise_problem_types(), REGENERATE


def test_every_class_says_how_to_mend_the_request() -> None:
    assert [problem.__name__ for problem in CLASSES if not problem.advice] == []


def test_classes_of_one_type_have_one_status() -> None:
    statuses = {(problem.type, problem.status) for problem in CLASSES}
    assert len(statuses) == len(TYPES)


@pytest.mark.parametrize("problem_type", TYPES)
async def test_type_of_each_problem_answers_with_its_page(gate: Gate, problem_type: str) -> None:
    answer = await gate.http.get(problem_type, headers=JSON)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    page = answer.json()
    assert page["type"] == problem_type
    members = [problem for problem in CLASSES if problem.type == problem_type]
    assert page["title"] in {problem.title for problem in members}
    assert page["status"] == members[0].status
    assert set(page["advice"]) == {problem.advice for problem in members}
    docstrings = filter(None, (vars(problem)["__doc__"] for problem in members))
    assert set(page["meaning"]) == {" ".join(cleandoc(text).split()) for text in docstrings}
    shown = await gate.http.get(problem_type, headers=HTML)
    assert shown.headers["Content-Type"].startswith("text/html")
    text = unescape(re.sub(r"</?(code|li)>", "", shown.text))
    for part in (page["title"], str(page["status"]), *page["meaning"], *page["advice"]):
        assert part.replace("`", "") in text


@pytest.mark.parametrize(("problem_type", "names"), OPERATIONS_OF.items(), ids=OPERATIONS_OF)
def test_page_names_the_operations_that_answer_so(problem_type: str, names: set[str]) -> None:
    assert list_operations(problem_type) == names


def test_pages_name_operations_of_the_table_alone() -> None:
    assert set().union(*map(list_operations, TYPES)) <= ALL


@pytest.mark.parametrize("accepted", [HTML, JSON], ids=["html", "json"])
async def test_start_of_the_pages_lists_all_types(gate: Gate, accepted: dict[str, str]) -> None:
    answer = await gate.http.get("/problems", headers=accepted)
    if accepted is HTML:
        assert re.findall(r'href="(/problems/[^"]+)"', answer.text) == [
            problem_type.type for problem_type in read_problem_types().values()
        ]
    else:
        assert {item["type"] for item in answer.json()["items"]} == set(TYPES)


@pytest.mark.parametrize("name", ["none", "agency-not-found2", "-"])
@pytest.mark.parametrize("accepted", [HTML, JSON], ids=["html", "json"])
async def test_unknown_type_is_a_problem_that_leads_to_the_list(
    gate: Gate, accepted: dict[str, str], name: str
) -> None:
    answer = await gate.http.get(f"/problems/{name}", headers=accepted)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["type"] == "/problems/problem-type-unknown"
    assert "GET /problems" in answer.json()["detail"]


async def test_page_may_be_kept_for_its_form_and_loads_nothing(gate: Gate) -> None:
    for path in ("/problems", "/problems/not-allowed"):
        for accepted in (HTML, JSON):
            answer = await gate.http.get(path, headers=accepted)
            assert answer.headers["Cache-Control"] == "public, max-age=60"
            assert answer.headers["Vary"] == "Accept, Accept-Encoding, Accept-Language"
            again = await gate.http.get(
                path, headers={**accepted, "If-None-Match": answer.headers["ETag"]}
            )
            assert (again.status_code, again.content) == (304, b"")
        shown = await gate.http.get(path, headers=HTML)
        assert shown.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "<script" not in shown.text


@pytest.mark.parametrize("problem_type", TYPES)
async def test_page_is_in_the_language_of_its_reader(gate: Gate, problem_type: str) -> None:
    english = (await gate.http.get(problem_type, headers=JSON)).json()
    answer = await gate.http.get(problem_type, headers={**JSON, "Accept-Language": "vi"})
    page = answer.json()
    assert answer.headers["Content-Language"] == "vi"
    assert page["title"] == translate_text(english["title"], Language.VIETNAMESE)
    assert page["title"] != english["title"]
    assert set(page["advice"]).isdisjoint(english["advice"])
    assert set(page["meaning"]).isdisjoint(english["meaning"])
    for member in ("type", "status", "operations"):
        assert page[member] == english[member]
    shown = await gate.http.get(f"{problem_type}?lang=vi", headers=HTML)
    assert '<html lang="vi">' in shown.text
    assert escape(page["title"]) in shown.text
    assert "Cách khắc phục" in shown.text


async def test_list_of_types_is_in_both_languages(gate: Gate) -> None:
    for language, title in (("vi", "Các loại lỗi"), ("en", "Problems")):
        answer = await gate.http.get("/problems", headers={**HTML, "Accept-Language": language})
        assert answer.headers["Content-Language"] == language
        assert f'<html lang="{language}">' in answer.text
        assert f"<h1>{title}</h1>" in answer.text


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("", False),
        ("*/*", False),
        (BROWSER, True),
        ("text/*", True),
        ("TEXT/HTML; charset=utf-8; q=0.5", True),
        ("text/html;q=0.5, application/json", False),
        ("text/html, application/json", False),
        ("application/*, text/html;q=0.9", False),
        ("text/html;q=0, */*", False),
        ("text/html;q=2", False),
        ("image/png", False),
        (";;q=,", False),
    ],
)
def test_form_of_a_page_is_the_preferred_one(accept: str, html: bool) -> None:
    assert prefers_html(accept) is html
