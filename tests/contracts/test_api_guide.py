"""What the guide for integrators says is so: its tables against the code."""

import re
from pathlib import Path

from deploy.problem_types.classes import list_problem_classes
from gateway.operations.quotas import DEFAULT_QUOTAS
from identity_service.persons.result import VerificationResult
from identity_service.sandbox.personas import read_personas
from shared.codes.enums import Channel, DossierStatus
from shared.rules.statuses import first_status, read_status_table
from sync_service.intake.row_rules import RowOutcome

GUIDE = (Path(__file__).parents[2] / "docs/api.md").read_text(encoding="utf-8")


def rows(cells: int) -> list[list[str]]:
    """Those of all tables with so many columns."""
    lines = [line for line in GUIDE.splitlines() if line.startswith("|")]
    parted = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in parted if len(row) == cells]


def test_guide_names_every_problem_with_its_status_and_no_other() -> None:
    told = {
        (kind, int(row[1]))
        for row in rows(3)
        for kind in re.findall(r"`(/problems/[a-z-]+)`", row[0])
    }
    raised = {(problem.type, problem.status.value) for problem in list_problem_classes()}
    assert told == raised
    assert {kind for kind, _ in told} == set(re.findall(r"/problems/[a-z-]+", GUIDE))


def test_guide_names_every_result_of_a_verification() -> None:
    told = {row[0].strip("`") for row in rows(3) if row[0].strip("`").isupper()}
    assert told == set(VerificationResult)


def test_guide_shows_every_persona_as_it_is() -> None:
    told = {tuple(row[:4]): row[4].partition(" ")[0].strip("`") for row in rows(5)[2:]}
    known = {
        (name, each.personal_number, each.full_name, each.birth_date): each.answer
        for name, each in read_personas().items()
    }
    assert told == known


def test_guide_names_every_status_as_published() -> None:
    told = {int(row[0]): row[1] for row in rows(3) if row[0].isdigit()}
    assert told == {status.value: status.label for status in DossierStatus}


def test_diagram_shows_every_transition_and_no_other() -> None:
    found = re.findall(r"^    (\d+) --> (\d+)(?:: (.+))?$", GUIDE, re.MULTILINE)
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
    begins = re.findall(r"\[\*\] --> (\d+): (.+)", GUIDE)
    told = {channel: int(status) for status, names in begins for channel in names.split(", ")}
    assert told == {channel.slug: first_status(channel).value for channel in Channel}
    ends = {int(status) for status in re.findall(r"(\d+) --> \[\*\]", GUIDE)}
    table = read_status_table().transitions
    assert ends == {status.value for status, onward in table.items() if not onward.every}


def test_guide_names_every_outcome_of_a_push() -> None:
    told = {row[0].strip("`") for row in rows(3)}
    assert set(RowOutcome) <= told


def test_guide_tells_the_default_quotas() -> None:
    counted = {row[0]: re.match(r"\d+(?:,\d{3})*", row[1]) for row in rows(3)}
    told = {name: int(found[0].replace(",", "")) for name, found in counted.items() if found}
    known = {name.value: quota.amount for name, quota in DEFAULT_QUOTAS.items()}
    assert {name: told.get(name) for name in known} == known
    assert {quota.window_s for quota in DEFAULT_QUOTAS.values()} == {60}
