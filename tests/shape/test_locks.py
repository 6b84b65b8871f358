"""Every advisory lock of PostgreSQL takes its number from the table of all locks."""

import ast
import re
from collections.abc import Iterator

from tests.shape.sources import PACKAGES, Source, list_sources

TABLE = "shared/database/locks.py"
LOCK_CALL = re.compile(r"pg_(?:try_)?advisory_\w*lock\w*\s*\(\s*(\w*)")


def _list_numbers() -> dict[str, int]:
    """Return the numbers of the table by name."""
    (table,) = (source for source in list_sources(*PACKAGES) if source.name == TABLE)
    return {
        node.target.id: node.value.value
        for node in ast.parse(table.text).body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, int)
    }


def _list_constants(source: Source) -> Iterator[tuple[int, object]]:
    for node in ast.walk(ast.parse(source.text)):
        if isinstance(node, ast.Constant):
            yield node.lineno, node.value


def test_numbers_of_locks_stand_only_in_their_table() -> None:
    numbers = set(_list_numbers().values())
    assert numbers
    found = [
        f"{source.name}:{line}"
        for source in list_sources(*PACKAGES)
        if source.name != TABLE
        for line, value in _list_constants(source)
        if (isinstance(value, int) and value in numbers)
        or (isinstance(value, str) and any(key[:1].isdigit() for key in LOCK_CALL.findall(value)))
    ]
    assert not found, f"take the number from {TABLE}"


def test_modules_that_lock_import_the_table() -> None:
    found = [
        source.name
        for source in list_sources(*PACKAGES)
        if source.name != TABLE
        and LOCK_CALL.search(source.text)
        and "shared.database.locks import" not in source.text
        and "shared.database import locks" not in source.text
    ]
    assert not found, f"take the number from {TABLE}"


def test_each_lock_of_the_table_is_used() -> None:
    texts = [source.text for source in list_sources(*PACKAGES) if source.name != TABLE]
    unused = {
        name
        for name in _list_numbers()
        if not any(re.search(rf"\b{name}\b", each) for each in texts)
    }
    assert not unused
