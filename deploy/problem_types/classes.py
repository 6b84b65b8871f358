"""Find the classes of the expected errors."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages

from shared.web.problems import Problem

PACKAGES = ("shared", "gateway", "identity_service", "dossier_service", "sync_service")


def list_problem_classes() -> Iterator[type[Problem]]:
    """Yield the class of every expected error of the project that has a type of its own."""
    for name in PACKAGES:
        for module in walk_packages(import_module(name).__path__, f"{name}."):
            if "migrations" not in module.name and not module.name.endswith("__main__"):
                import_module(module.name)
    for problem in _list_subclasses(Problem):
        if problem.__module__.partition(".")[0] in PACKAGES and problem.type != Problem.type:
            yield problem


def _list_subclasses(parent: type[Problem]) -> Iterator[type[Problem]]:
    for child in parent.__subclasses__():
        yield child
        yield from _list_subclasses(child)
