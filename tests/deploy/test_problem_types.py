"""The problems of a function are those that its code reaches, through names, types and methods."""

from collections import defaultdict
from collections.abc import Callable
from typing import Annotated

import pytest
from fastapi import Depends

from deploy.problem_types.classes import list_problem_classes
from deploy.problem_types.raised import find_problems
from dossier_service.dossiers.problems import DossierNotFound, FeeOpen, FeePaidBefore
from dossier_service.dossiers.use_cases import payments
from shared.runtime.operator_routes import RightLimited, Unlimited
from shared.web import etag, problems
from shared.web.calls import auth
from shared.web.etag import PreconditionRequired, PreconditionUnreadable
from shared.web.problems import ChangedMeanwhile, Invalid, Problem, Unavailable


def test_global_that_code_names_is_reached() -> None:
    assert find_problems([problems.find_problem]) == {Unavailable, ChangedMeanwhile, Invalid}


def test_dependency_of_an_annotation_is_reached() -> None:
    assert RightLimited in find_problems([Unlimited])
    condition = Annotated[object, Depends(etag._read_condition)]
    assert find_problems([condition]) == {PreconditionRequired, PreconditionUnreadable}


def test_method_is_reached_by_its_name_alone() -> None:
    everything = find_problems([auth.CallerCheck])
    assert auth.NotAllowed in everything


@pytest.mark.parametrize("foreign", [str.upper, print, int, None, 7, "text", [], {}])
def test_code_of_others_raises_none_of_our_problems(foreign: Callable[..., object]) -> None:
    assert find_problems([foreign]) == frozenset()


def test_use_case_reaches_the_problems_that_it_raises_and_no_others() -> None:
    reached = find_problems([payments.pay_fee])
    assert {DossierNotFound, FeePaidBefore} <= reached
    assert FeeOpen not in reached
    assert Problem not in reached


def test_type_has_one_title_and_one_status() -> None:
    meanings: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for problem in list_problem_classes():
        meanings[problem.type].add((problem.title, problem.status.value))
    assert meanings
    assert {name: found for name, found in meanings.items() if len(found) > 1} == {}
