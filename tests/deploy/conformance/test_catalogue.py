"""Rules, steps and reactions fit each other and the problems of the mesh."""

import pytest

from deploy.conformance.catalogue import (
    Profile,
    group_problem_types,
    list_steps,
    read_acts,
    read_reactions,
    read_rules,
    read_steps,
)
from deploy.conformance.judges.table import JUDGES
from gateway.api_docs.problem_types import read_problem_types
from gateway.operations.table import OPERATIONS


def test_rules_are_numbered_and_each_has_a_judge() -> None:
    assert [rule.number for rule in read_rules()] == [*range(1, len(JUDGES) + 1)]
    assert [rule.name for rule in read_rules()] == [*JUDGES]


def test_every_type_of_problem_asks_for_one_reaction() -> None:
    types = [name for reaction in read_reactions().values() for name in reaction.types]
    assert sorted(types) == sorted(read_problem_types())
    assert set(types) == set(group_problem_types())


def test_statuses_of_a_reaction_are_those_of_the_guide() -> None:
    statuses = {
        name: {read_problem_types()[kind].status for kind in reaction.types}
        for name, reaction in read_reactions().items()
    }
    assert statuses["wait"] == {429, 503}
    assert statuses["hold"] == {429}
    assert statuses["repeat"] == {408, 502, 504}
    assert statuses["sign_on"] == {401}
    assert statuses["read_again"] == {412, 428}
    assert {429, 503, 504, 401, 408, 412, 428}.isdisjoint(statuses["mend"] | statuses["settled"])


def test_acts_call_operations_of_the_mesh() -> None:
    assert {name for act in read_acts().values() for name in act.calls} <= set(OPERATIONS)
    assert {act for step in read_steps() for act in step.acts.values()} == set(read_acts())


@pytest.mark.parametrize("profile", Profile)
def test_each_rule_of_a_profile_has_a_step_of_it(profile: Profile) -> None:
    steps = {step.name for step in list_steps(profile)}
    rules = [rule for rule in read_rules() if profile in rule.profiles]
    assert [rule.name for rule in rules if rule.steps and not steps & set(rule.steps)] == []
    assert {name for rule in read_rules() for name in rule.steps} <= {
        step.name for step in read_steps()
    }


def test_profiles_meet_all_problems_of_their_calls() -> None:
    met = {
        plan.problem
        for profile in Profile
        for step in list_steps(profile, every_problem=True)
        for plan in step.faults
    }
    operations = {name for act in read_acts().values() for name in act.operations}
    reachable = {
        name
        for name, problem_type in read_problem_types().items()
        if {"*"} & set(problem_type.operations) or operations & set(problem_type.operations)
    }
    assert met - {None} == reachable
