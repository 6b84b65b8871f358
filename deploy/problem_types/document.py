"""Describe the types of problems for the pages at /problems and the document of the API.

Title, status, meaning (the docstring) and advice are those of the classes.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable
from inspect import cleandoc
from typing import Any

from deploy.problem_types.classes import list_problem_classes
from deploy.problem_types.operations import find_operations
from gateway.api_docs.problem_types import EVERY
from gateway.operations.table import OPERATIONS
from shared.web.problems import Problem


def describe_problem_types() -> list[dict[str, Any]]:
    """Return the types in the order of status and name; classes of one type are joined."""
    classes: dict[str, list[type[Problem]]] = defaultdict(list)
    for problem in sorted(list_problem_classes(), key=lambda problem: problem.__module__):
        classes[problem.type].append(problem)
    operations = find_operations()
    types = [
        {
            "type": name,
            "status": members[0].status.value,
            "title": members[0].title,
            "meaning": _join_texts(map(read_docstring, members)),
            "advice": _join_texts(problem.advice for problem in members),
            "operations": _shorten_operations(operations[name]),
        }
        for name, members in classes.items()
    ]
    return sorted(types, key=lambda described: (described["status"], described["type"]))


def read_docstring(problem: type[Problem]) -> str:
    """Return the docstring as one paragraph; it is empty where the title says all."""
    return " ".join(cleandoc(vars(problem).get("__doc__") or "").split())


def _join_texts(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(filter(None, texts)))


def _shorten_operations(names: Collection[str]) -> list[str]:
    return [EVERY] if len(names) == len(OPERATIONS) else sorted(names)


def serialise_problem_types() -> str:
    return json.dumps(describe_problem_types(), indent=2, ensure_ascii=False) + "\n"
