"""The figures of the budgets of wrong claims, wherever a document names them: against the code."""

import re
from pathlib import Path

import pytest

from identity_service.persons.guesses.budgets import Budgets, Scope, read_budgets
from identity_service.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
FIGURES = (
    "guesses_of_officer",
    "guesses_of_agency",
    "misses_of_officer",
    "misses_of_client",
    "misses_of_agency",
)


@pytest.fixture
def budgets() -> Budgets:
    defaults = {name: Settings.model_fields[name].default for name in FIGURES}
    month = 30 * 24 * 3_600
    return read_budgets(Settings.model_construct(**defaults, guess_memory_seconds=month))


def find_row(document: str, begin: str) -> str:
    lines = (DOCS / document).read_text(encoding="utf-8").splitlines()
    [row] = [line for line in lines if line.startswith(f"| {begin}")]
    return row


def figures(text: str) -> list[int]:
    return [int(each) for each in re.findall(r"\b\d+\b", text)]


def test_guide_of_integrators_tells_each_budget(budgets: Budgets) -> None:
    rows = {
        "an officer about one person": Scope.OFFICER_PERSON,
        "an agency about one person": Scope.AGENCY_PERSON,
        "an officer about all people": Scope.OFFICER,
        "a client about all people": Scope.CLIENT,
        "an agency about all people": Scope.AGENCY,
    }
    for begin, scope in rows.items():
        claims = find_row("en/how-to/verify-a-person.md", begin).split("|")[2]
        budget = budgets[scope]
        told = (budget.misses, budget.most, budget.sequential)
        assert figures(claims) == [each for each in told if each]


def test_list_of_threats_tells_each_budget(budgets: Budgets) -> None:
    _, _, control, default, *_ = find_row(
        "en/explanation/threats.md", "the register is asked until"
    ).split("|")
    officer, agency = budgets[Scope.OFFICER_PERSON].misses, budgets[Scope.AGENCY_PERSON].misses
    assert figures(default) == [officer, agency]
    assert f"{agency} answers that name fields" in control
    default = find_row("en/explanation/threats.md", "numbers are tried one after the other").split(
        "|"
    )[3]
    about_all = (budgets[Scope.OFFICER], budgets[Scope.CLIENT], budgets[Scope.AGENCY])
    assert figures(default) == [n for each in about_all for n in (each.misses, each.sequential)]


def test_decision_tells_each_budget(budgets: Budgets) -> None:
    [decision] = DOCS.glob("decisions/0033-*")
    text = " ".join(decision.read_text(encoding="utf-8").split())
    for told in (
        f"An officer has {budgets[Scope.OFFICER_PERSON].misses} misses about one person",
        f"An agency has {budgets[Scope.AGENCY_PERSON].misses},",
        f"An officer has {budgets[Scope.OFFICER].misses} misses an hour",
        (
            f"a client {budgets[Scope.CLIENT].misses} and an agency, with all its clients,"
            f" {budgets[Scope.AGENCY].misses} where"
        ),
        f"be named fields {budgets[Scope.AGENCY_PERSON].misses} times in 30 days",
    ):
        assert told in text
