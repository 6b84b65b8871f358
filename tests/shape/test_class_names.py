"""A class name has one meaning in the product; a few recur in each service with one meaning."""

import ast
from collections import defaultdict
from collections.abc import Iterator

from tests.shape.sources import PACKAGES, Source, list_sources

# Each service has these for its own database, settings and copy of the agencies and dossiers.
RECURRING = frozenset(
    [
        "Agency",
        "AgencyClosed",
        "AgencyNotFound",
        "Base",
        "DossierNotFound",
        "ProcedureNotFound",
        "Settings",
    ]
)


def _is_class_name(name: str) -> bool:
    return name.lstrip("_")[:1].isupper() and not name.isupper()


def _list_class_names(source: Source) -> Iterator[str]:
    """Yield the name of each class and of each alias of a type at the top of a module."""
    tree = ast.parse(source.text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
            yield from filter(_is_class_name, names)


def test_class_name_has_one_meaning() -> None:
    places = defaultdict(list)
    for source in list_sources(*PACKAGES):
        for name in _list_class_names(source):
            places[name].append(source.name)
    shared = {name: modules for name, modules in places.items() if len(modules) > 1}
    assert {name: modules for name, modules in shared.items() if name not in RECURRING} == {}
    assert shared.keys() >= RECURRING, "no name of several services any more: take it off the list"
