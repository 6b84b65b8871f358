"""The wall clock is read in one module; inner modules get the time as the parameter `now`.

At the edges of a feature its commands and projections read the clock, and the adapters that
`layout.yaml` lists as `clocks`; routes and jobs are given the time.
"""

import ast
from collections.abc import Collection, Iterator, Mapping

import pytest

from tests.shape.sources import PACKAGES, list_sources
from tests.shape.test_layout import MODULES, listed

CLOCK = "shared/codes/time.py"
READINGS = frozenset(
    [
        "datetime.date.today",
        "datetime.datetime.now",
        "datetime.datetime.today",
        "datetime.datetime.utcnow",
        "time.CLOCK_REALTIME",
        "time.ctime",
        "time.gmtime",
        "time.localtime",
        "time.time",
        "time.time_ns",
    ]
)
FEATURE_EDGES, COMPOSITION_EDGES = frozenset({"commands", "projections"}), frozenset({"seed"})


def _list_imported_names(tree: ast.Module) -> Mapping[str, str]:
    """Return the dotted name of each imported one, by the name that the module gives it."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                names[alias.asname or first] = alias.name if alias.asname else first
    return names


def _find_dotted_name(node: ast.AST, names: Mapping[str, str]) -> str | None:
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _find_dotted_name(node.value, names)
        return f"{owner}.{node.attr}" if owner else None
    return None


def _list_uses(text: str, targets: Collection[str]) -> Iterator[int]:
    """Yield the line of each use of the target dotted names, whether or not it is a call."""
    tree = ast.parse(text)
    names = _list_imported_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and _find_dotted_name(node, names) in targets:
            yield node.lineno


def _list_clock_functions() -> Iterator[str]:
    """Yield the dotted name of each function of the clock's module that reads the clock."""
    (clock,) = (source for source in list_sources(*PACKAGES) if source.name == CLOCK)
    lines = set(_list_uses(clock.text, READINGS))
    module = CLOCK.removesuffix(".py").replace("/", ".")
    for name, node in clock.list_functions():
        if any(node.lineno <= line <= (node.end_lineno or node.lineno) for line in lines):
            yield f"{module}.{name}"


@pytest.mark.parametrize(
    "text",
    [
        "from datetime import UTC, datetime\ndatetime.now(UTC)",
        "from datetime import datetime as moment\nmoment.utcnow()",
        "from datetime import date\ndate.today()",
        "import datetime\ndatetime.datetime.now()",
        "import time\ntime.time()",
        "import time as clock\nclock.time_ns()",
        "from time import time\ntime()",
        "import time\nfield(default_factory=time.time)",
    ],
)
def test_each_form_of_a_reading_is_recognised(text: str) -> None:
    assert list(_list_uses(text, READINGS)) == [2]


@pytest.mark.parametrize(
    "text",
    [
        "import time\ntime.monotonic()",
        "from datetime import time\ntime()",
        "from datetime import datetime\ndatetime.fromtimestamp(now)",
        "loop.time()",
    ],
)
def test_other_clocks_and_times_are_no_reading(text: str) -> None:
    assert list(_list_uses(text, READINGS)) == []


def test_wall_clock_is_read_in_one_module() -> None:
    readings = [
        f"{source.name}:{line}"
        for source in list_sources(*PACKAGES, "deploy")
        if source.name != CLOCK
        for line in _list_uses(source.text, READINGS)
    ]
    assert not readings, f"take the time as `now`; an edge calls a function of {CLOCK}"


def test_inner_modules_take_the_time_as_a_parameter() -> None:
    clocks = set(_list_clock_functions())
    assert clocks
    readers: dict[str, set[str]] = {}
    for module in MODULES:
        edges = FEATURE_EDGES if module.feature else COMPOSITION_EDGES
        if module.role not in edges and any(_list_uses(module.source.text, clocks)):
            readers.setdefault(module.place, set()).add(module.role)
    expected = {place: roles for place, roles in listed("clocks").items() if roles}
    assert readers == expected, "take the time as `now`, from a route, a command or a timer"


def test_only_adapters_are_listed_as_clocks() -> None:
    adapters = listed("adapters")
    assert all(roles <= adapters[place] for place, roles in listed("clocks").items())
