"""Functions, modules and folders are small; the exceptions of today are listed and only shrink."""

from collections import Counter
from collections.abc import Collection

from tests.shape.sources import BESIDE, PACKAGES, FunctionNode, list_sources, read_layout


def _assert_only(found: Collection[str], excepted: Collection[str], limit: str) -> None:
    """An exception that is none any more has to leave the list, so that it cannot come back."""
    assert not set(found) - set(excepted), f"more than {limit}: shorten or split"
    assert not set(excepted) - set(found), "no exception any more: take it off layout.yaml"


def _line_count(node: FunctionNode) -> int:
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return (node.end_lineno or node.lineno) - first + 1


def test_functions_are_short() -> None:
    layout = read_layout()
    limit = layout["limits"]["function_lines"]
    found = [
        f"{source.name}::{name}"
        for source in list_sources(*PACKAGES, *BESIDE)
        for name, node in source.list_functions()
        if _line_count(node) > limit
    ]
    _assert_only(found, layout["exceptions"]["functions"], f"{limit} lines")


def test_modules_are_short() -> None:
    layout = read_layout()
    limit = layout["limits"]["module_lines"]
    found = [
        source.name for source in list_sources(*PACKAGES, *BESIDE) if len(source.lines) > limit
    ]
    _assert_only(found, layout["exceptions"]["modules"], f"{limit} lines")


def test_folders_hold_few_modules() -> None:
    layout = read_layout()
    limit = layout["limits"]["folder_modules"]
    counted = Counter(
        source.folder
        for source in list_sources(*PACKAGES)
        if not source.name.endswith("/__init__.py")
    )
    found = [folder for folder, modules in counted.items() if modules > limit]
    _assert_only(found, layout["exceptions"]["folders"], f"{limit} modules")


def test_wings_and_features_keep_within_their_budgets() -> None:
    budgets = read_layout()["budgets"]
    lines = Counter[str]()
    for source in list_sources(*PACKAGES):
        owner = next((path for path in _list_above(source.folder) if path in budgets), None)
        if owner:
            lines[owner] += len(source.lines)
        elif "/" in source.folder and "/migrations" not in source.folder:
            raise AssertionError(f"give {source.folder} a budget in layout.yaml")
    assert not {path: count for path, count in lines.items() if count > budgets[path]}
    assert not set(budgets) - set(lines), "no such folder any more: take it off layout.yaml"


def _list_above(folder: str) -> list[str]:
    """Return the folder and those above it, the nearest first."""
    parts = folder.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
