"""A system that keeps all rules passes; each bad habit breaks the rules about it and no other."""

import pytest

from deploy.conformance.catalogue import Profile, read_rules
from deploy.conformance.faults import Timing
from deploy.conformance.report import Outcome, Report
from tests.deploy.conformance.conftest import Judge

ONESTOP, EXTERNAL, READER = Profile

HABITS = [
    # habit, profile, steps, the broken rule, its faults
    ("token-for-each-call", ONESTOP, ["ordinary"], "token-reuse", {"fetched-anew"}),
    ("keeps-a-refused-token", ONESTOP, ["token-refused"], "token-renewal", {"not-renewed"}),
    ("gives-up-on-401", ONESTOP, ["token-refused"], "token-renewal", {"not-repeated"}),
    ("renews-for-ever", ONESTOP, ["token-refused-again"], "token-renewal", {"repeated-again"}),
    ("number-in-referer", ONESTOP, ["ordinary"], "no-numbers-in-addresses", {"number-sent"}),
    ("no-officer", ONESTOP, ["ordinary"], "purpose-and-officer", {"not-named"}),
    ("wrong-purpose", ONESTOP, ["ordinary"], "purpose-and-officer", {"not-valid"}),
    ("no-key", ONESTOP, ["new-acts"], "idempotency-key", {"missing"}),
    ("no-key", EXTERNAL, ["new-acts"], "idempotency-key", {"missing"}),
    ("new-key-for-a-repeat", ONESTOP, ["lost-answer"], "same-key-for-a-repeat", {"other-key"}),
    ("new-key-for-a-repeat", EXTERNAL, ["timed-out"], "same-key-for-a-repeat", {"other-key"}),
    ("new-body-for-a-repeat", ONESTOP, ["lost-answer"], "same-key-for-a-repeat", {"other-body"}),
    ("gives-up", EXTERNAL, ["lost-answer"], "same-key-for-a-repeat", {"not-repeated"}),
    ("one-key", ONESTOP, ["new-acts"], "new-key-for-a-new-act", {"used-before"}),
    ("no-if-match", ONESTOP, ["change"], "if-match", {"missing"}),
    ("any-if-match", ONESTOP, ["change"], "if-match", {"not-read"}),
    ("does-not-read-again", ONESTOP, ["changed-meanwhile"], "read-again", {"not-read-again"}),
    ("same-key", ONESTOP, ["changed-meanwhile"], "read-again", {"same-key"}),
    ("no-wait", ONESTOP, ["quota"], "retry-after", {"too-early"}),
    ("no-wait", EXTERNAL, ["unavailable"], "retry-after", {"too-early"}),
    ("gives-up-on-503", READER, ["unavailable"], "retry-after", {"not-repeated"}),
    ("no-pause", READER, ["timed-out"], "growing-pauses", {"too-fast"}),
    ("even-pauses", READER, ["timed-out"], "growing-pauses", {"not-growing"}),
    ("gives-up", READER, ["timed-out"], "growing-pauses", {"not-repeated"}),
    ("repeats-refusals", EXTERNAL, ["refused"], "refusals-are-final", {"repeated"}),
    ("repeats-refusals", ONESTOP, ["transition-refused"], "refusals-are-final", {"repeated"}),
    ("impatient", READER, ["late-answer"], "patience", {"left"}),
    ("first-page-only", READER, ["pages"], "pages-by-next", {"not-followed"}),
    ("same-page", READER, ["pages"], "pages-by-next", {"read-again", "not-followed"}),
    ("makes-cursors-up", READER, ["pages"], "pages-by-next", {"made-up", "not-followed"}),
    ("other-filters", READER, ["pages"], "pages-by-next", {"filters-changed"}),
    ("knows-all-members", READER, ["unknown-members"], "unknown-members", {"stopped"}),
    ("knows-all-members", EXTERNAL, ["unknown-members"], "unknown-members", {"stopped"}),
    ("repeats-strange-answers", EXTERNAL, ["unknown-members"], "unknown-members", {"repeated"}),
    ("wrong-form", ONESTOP, ["ordinary"], "form-of-requests", {"refused"}),
    ("repeats-refused-rows", EXTERNAL, ["refused-row"], "row-outcomes", {"refused-row-repeated"}),
    (
        *("repeats-whole-push", EXTERNAL, ["refused-row"], "row-outcomes"),
        {"refused-row-repeated", "taken-row-repeated"},
    ),
    ("progress-first", EXTERNAL, ["row-order"], "row-order", {"progress-first", "backwards"}),
    ("goes-back", EXTERNAL, ["row-order"], "row-order", {"backwards"}),
    ("crowd", EXTERNAL, ["ordinary"], "row-order", {"too-many-at-once"}),
]


def list_broken_rules(report: Report) -> dict[str, set[str]]:
    return {
        rule.name: {fault.key for fault in rule.faults}
        for rule in report.rules
        if rule.outcome is Outcome.FAILED
    }


@pytest.mark.parametrize("profile", Profile)
async def test_system_that_keeps_all_rules_passes(profile: Profile, judge_system: Judge) -> None:
    report = await judge_system(profile)
    assert list_broken_rules(report) == {}
    assert {rule.outcome for rule in report.rules} == {Outcome.PASSED}
    assert report.outcome is Outcome.PASSED


@pytest.mark.parametrize("row", HABITS, ids=lambda row: f"{row[0]}-{row[1]}-{row[2][0]}")
async def test_bad_habit_breaks_the_rule_about_it_and_no_other(
    row: tuple[str, Profile, list[str], str, set[str]], judge_system: Judge
) -> None:
    habit, profile, steps, rule, faults = row
    report = await judge_system(profile, habit, tuple(steps))
    assert list_broken_rules(report) == {rule: faults}
    assert report.outcome is Outcome.FAILED


@pytest.mark.parametrize("profile", Profile)
async def test_system_that_keeps_all_rules_passes_with_every_type_of_problem(
    profile: Profile, judge_system: Judge
) -> None:
    quick = Timing(retry_after_s=0, late_s=0.05)
    report = await judge_system(profile, every_problem=True, timing=quick)
    assert list_broken_rules(report) == {}


def test_every_fault_of_every_rule_has_a_habit_that_shows_it() -> None:
    shown: dict[str, set[str]] = {}
    for _, _, _, rule, faults in HABITS:
        shown.setdefault(rule, set()).update(faults)
    unseen = {
        rule.name: set(rule.faults) - shown.get(rule.name, set())
        for rule in read_rules()
        if set(rule.faults) - shown.get(rule.name, set())
    }
    assert unseen == {}
