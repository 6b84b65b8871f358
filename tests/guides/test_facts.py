"""What the pages for integrators say is so, in both languages: their tables against the code."""

import re

import pytest

from deploy.problem_types.classes import list_problem_classes
from gateway.operations.quotas import DEFAULT_QUOTAS
from identity_service.persons.result import VerificationResult
from identity_service.sandbox.personas import read_personas
from shared.codes.enums import Channel, DossierStatus
from shared.rules.statuses import first_status, read_status_table
from sync_service.intake.row_rules import RowOutcome
from tests.guides.pages import DOCS, LANGUAGES, Section, read_page

BOTH = pytest.mark.parametrize("language", LANGUAGES)


def find_section(language: str, page: str, name: str) -> Section:
    sections = read_page(DOCS / language / page).sections
    [found] = [section for section in sections if section.id == name]
    return found


def find_rows(language: str, page: str, name: str) -> list[tuple[str, ...]]:
    """Return the rows of the first table of a part, without its head."""
    return list(find_section(language, page, name).tables[0].rows[1:])


@BOTH
def test_page_names_every_problem_with_its_status_and_no_other(language: str) -> None:
    rows = find_rows(language, "reference/problems.md", "types")
    told = [
        (kind, int(row[1])) for row in rows for kind in re.findall("`(/problems/[a-z-]+)`", row[0])
    ]
    raised = {(problem.type, problem.status.value) for problem in list_problem_classes()}
    assert sorted(told) == sorted(raised)


@BOTH
def test_page_names_every_result_of_a_verification(language: str) -> None:
    rows = find_rows(language, "how-to/verify-a-person.md", "results")
    assert [row[0].strip("`") for row in rows] == list(VerificationResult)


@BOTH
def test_page_shows_every_persona_as_it_is(language: str) -> None:
    rows = find_rows(language, "how-to/verify-a-person.md", "personas")
    told = {row[:4]: row[4].partition(" ")[0].strip("`") for row in rows}
    known = {
        (name, each.personal_number, each.full_name, each.birth_date): each.answer
        for name, each in read_personas().items()
    }
    assert told == known


@BOTH
def test_page_names_every_status_as_published(language: str) -> None:
    rows = find_rows(language, "how-to/file-a-dossier.md", "statuses")
    told = {int(row[0]): row[1] for row in rows}
    assert told == {status.value: status.label for status in DossierStatus}


def read_diagram(language: str) -> str:
    section = find_section(language, "how-to/file-a-dossier.md", "statuses")
    [diagram] = [fence.text for fence in section.fences if fence.language == "mermaid"]
    return diagram


def test_diagram_shows_every_transition_and_no_other() -> None:
    found = re.findall(r"^    (\d+) --> (\d+)(?:: (.+))?$", read_diagram("en"), re.MULTILINE)
    told = {(int(start), int(end)): note for start, end, note in found}
    known: dict[tuple[int, int], str] = {}
    for status, onward in read_status_table().transitions.items():
        for end in onward.every:
            before = sorted(each for each, ends in onward.after.items() if end in ends)
            note = "after " + " or ".join(map(str, map(int, before))) if before else ""
            note = "received" if end in onward.received else note
            known[status, end] = "with a reason" if end in onward.with_reason else note
    assert told == known


def test_diagram_begins_and_ends_where_dossiers_do() -> None:
    diagram = read_diagram("en")
    begins = re.findall(r"\[\*\] --> (\d+): (.+)", diagram)
    told = {channel: int(status) for status, names in begins for channel in names.split(", ")}
    assert told == {channel.slug: first_status(channel).value for channel in Channel}
    ends = {int(status) for status in re.findall(r"(\d+) --> \[\*\]", diagram)}
    table = read_status_table().transitions
    assert ends == {status.value for status, onward in table.items() if not onward.every}


@BOTH
def test_page_names_every_outcome_of_a_push(language: str) -> None:
    rows = find_rows(language, "how-to/push-status.md", "outcomes")
    assert {row[0].strip("`") for row in rows} == set(RowOutcome)


@BOTH
def test_page_tells_the_default_quotas(language: str) -> None:
    rows = find_rows(language, "how-to/handle-errors.md", "quotas")
    counted = {row[0]: re.match(r"\d+(?:[,.]\d{3})*", row[1]) for row in rows}
    told = {name: int(re.sub("[,.]", "", found[0])) for name, found in counted.items() if found}
    assert told == {name.value: quota.amount for name, quota in DEFAULT_QUOTAS.items()}
    assert {quota.window_s for quota in DEFAULT_QUOTAS.values()} == {60}
