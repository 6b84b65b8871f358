"""A service is composition files and features, whose files have the same names everywhere.

`layout.yaml` lists the modules beside them: rule modules, which decide without input or output,
and adapters, each for one outside system, one format or one state of the process.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import PurePath
from typing import NamedTuple

import pytest

from tests.shape.sources import Source, list_sources, read_layout

SERVICES = ("gateway", "identity_service", "dossier_service", "sync_service")
COMPOSITION = frozenset(
    [
        "__main__",
        "main",
        "worker",
        "handlers",
        "timers",
        "settings",
        "dependencies",
        "database",
        "seed",
    ]
)
FIXED = frozenset(
    [
        "models",
        "schemas",
        "problems",
        "repository",
        "use_cases",
        "routes",
        "projections",
        "jobs",
        "commands",
        "dependencies",
    ]
)
# These belong to the feature: another one asks its use cases.
PRIVATE = frozenset({"models", "schemas", "repository", "routes", "projections", "jobs"})
# pydantic with the two packages of which it consists.
PYDANTIC = ("pydantic", "pydantic_core", "annotated_types")
OUTER_PACKAGES = frozenset({"sqlalchemy", "fastapi", "httpx", "aiokafka", "asyncpg", "starlette"})


class Module(NamedTuple):
    """A module of a service: its feature, none for a composition file, and its place in it."""

    service: str
    feature: str | None
    part: str
    source: Source

    @property
    def role(self) -> str:
        """The name of the file, or of the package that a long file became."""
        return self.part.split("/")[0]

    @property
    def place(self) -> str:
        return f"{self.service}/{self.feature}" if self.feature else self.service


def list_modules() -> Iterator[Module]:
    for source in list_sources(*SERVICES):
        service, *inner = PurePath(source.name).with_suffix("").parts
        if inner[-1] == "__init__":
            inner.pop()
        if not inner or inner[0] == "migrations":
            continue
        is_feature = (PurePath(source.name).parent.name != service) or len(inner) > 1
        feature = inner[0] if is_feature else None
        part = "/".join(inner[1:] if is_feature else inner)
        if part:
            yield Module(service, feature, part, source)


MODULES = tuple(list_modules())


def list_imports(module: Module) -> Iterator[str]:
    yield from list_imported_names(module.source)


def list_imported_names(source: Source) -> Iterator[str]:
    """Yield the dotted names that a file imports, each with the name taken from it."""
    for node in ast.walk(ast.parse(source.text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def listed(kind: str) -> dict[str, set[str]]:
    modules: dict[str, dict[str, list[str]]] = read_layout()["modules"]
    return {place: set(kinds.get(kind, ())) for place, kinds in modules.items()}


@pytest.mark.parametrize("service", SERVICES)
def test_files_have_the_fixed_names_or_are_listed(service: str) -> None:
    rules, adapters = listed("rules"), listed("adapters")
    found: dict[str, set[str]] = {}
    for module in MODULES:
        fixed = FIXED if module.feature else COMPOSITION
        if module.service == service and module.role not in fixed:
            found.setdefault(module.place, set()).add(module.role)
    expected = {
        place: rules[place] | adapters[place] for place in rules if place.split("/")[0] == service
    }
    assert found == expected


def test_rule_modules_decide_without_input_or_output() -> None:
    rules, adapters = listed("rules"), listed("adapters")
    outer = [
        f"{module.source.name} imports {name}"
        for module in MODULES
        if module.role in rules.get(module.place, ())
        for name in list_imports(module)
        if name.split(".")[0] in OUTER_PACKAGES or _is_no_rule(name, adapters)
    ]
    assert outer == []


def _is_no_rule(name: str, adapters: dict[str, set[str]]) -> bool:
    """Return whether a dotted name is of a fixed file, but of problems, or of an adapter."""
    service, *inner = name.split(".")
    if service not in SERVICES or len(inner) < 2:
        return False
    feature, role = inner[:2]
    return role in FIXED - {"problems"} or role in adapters.get(f"{service}/{feature}", ())


def test_codes_and_events_import_no_package_but_pydantic() -> None:
    allowed = sys.stdlib_module_names | {"shared", *PYDANTIC}
    outer = [
        f"{source.name} imports {name}"
        for source in list_sources("shared/codes", "shared/events")
        for name in list_imported_names(source)
        if name.split(".")[0] not in allowed
    ]
    assert outer == []


def test_feature_keeps_its_files_from_the_others() -> None:
    excepted = set(read_layout()["exceptions"]["borders"])
    crossed = {
        f"{module.place} imports {'.'.join(parts[:3])}"
        for module in MODULES
        if module.feature
        for parts in (name.split(".") for name in list_imports(module))
        if len(parts) > 2
        and parts[0] == module.service
        and parts[1] != module.feature
        and parts[2] in PRIVATE
    }
    assert crossed == excepted


def test_route_reaches_the_database_through_a_use_case() -> None:
    reached = [
        f"{module.source.name} imports {name}"
        for module in MODULES
        if module.feature and module.role == "routes"
        for name in list_imports(module)
        if name.startswith(f"{module.service}.{module.feature}.")
        and name.split(".")[2] in {"models", "repository"}
    ]
    assert reached == []
