"""Find the problems that a function can raise, by the code that it reaches.

Names decide: from a function the analysis follows each global that its code names, the types of
its annotations, and the methods of reached classes whose names some reached code uses. So the
result may hold a problem that no call meets, and lacks one only if a name is computed.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, get_args

from fastapi.params import Depends

from deploy.problem_types.classes import PACKAGES
from shared.web.problems import Problem


def find_problems(roots: Iterable[object]) -> frozenset[type[Problem]]:
    """Return the classes of the problems that the functions and classes of `roots` can raise."""
    reach = _ReachedCode()
    for root in roots:
        reach.add(root)
        if isinstance(root, type):
            reach.add_all_methods(root)
    reach.follow()
    return frozenset(reach.problems)


class _ReachedCode:
    """The code reached so far; `_names` are all names that it uses."""

    def __init__(self) -> None:
        self.problems: set[type[Problem]] = set()
        self._pending: list[object] = []
        self._seen: set[int] = set()
        self._kept: list[object] = []  # an id is good while its object lives
        self._names: set[str] = set()
        self._classes: set[type] = set()

    def add(self, reached: object) -> None:
        if id(reached) not in self._seen:
            self._seen.add(id(reached))
            self._kept.append(reached)
            self._pending.append(reached)

    def add_all_methods(self, reached: type) -> None:
        for member in vars(reached).values():
            self.add(member)

    def follow(self) -> None:
        while self._pending:
            while self._pending:
                self._follow_object(self._pending.pop())
            for reached in tuple(self._classes):
                self._follow_methods(reached)

    def _follow_object(self, reached: object) -> None:
        if isinstance(reached, FunctionType):
            self._follow_function(reached)
        elif isinstance(reached, type):
            self._follow_class(reached)
        else:
            for part in _list_parts(reached):
                self.add(part)

    def _follow_class(self, reached: type) -> None:
        if not _is_ours(reached):
            for part in get_args(reached):
                self.add(part)
        elif issubclass(reached, Problem):
            if reached.type != Problem.type:
                self.problems.add(reached)
        else:
            self._classes.add(reached)

    def _follow_function(self, reached: FunctionType) -> None:
        if wrapped := getattr(reached, "__wrapped__", None):
            self.add(wrapped)
        if not _is_ours(reached):
            return
        names = frozenset(_list_names(reached.__code__))
        self._names |= names
        for name in names & reached.__globals__.keys():
            value = reached.__globals__[name]
            if not isinstance(value, ModuleType):
                self.add(value)
            elif value.__name__.startswith(PACKAGES):
                for member in names & vars(value).keys():
                    self.add(vars(value)[member])
        for part in (*reached.__annotations__.values(), *(reached.__defaults__ or ())):
            self.add(part)
        for cell in reached.__closure__ or ():
            self.add(cell.cell_contents)

    def _follow_methods(self, reached: type) -> None:
        for owner in filter(_is_ours, reached.__mro__):
            for name, member in tuple(vars(owner).items()):
                if name in self._names or (name.startswith("__") and callable(member)):
                    self.add(member)


def _list_parts(reached: object) -> Iterator[object]:
    """Yield the functions and types that an object other than these holds."""
    match reached:
        case MethodType():
            yield reached.__func__
        case classmethod() | staticmethod():
            yield reached.__func__
        case property():
            yield reached.fget
        case functools.cached_property() | functools.partial():
            yield reached.func
        case Depends():
            yield reached.dependency
        case tuple() | list() | set() | frozenset():
            yield from reached
        case Mapping():
            yield from reached.values()
        case _:
            yield from get_args(reached)
            yield getattr(reached, "__wrapped__", None)
            yield getattr(reached, "__func__", None)
            if _is_ours(type(reached)):
                yield type(reached)


def _is_ours(thing: Any) -> bool:
    return str(getattr(thing, "__module__", "")).partition(".")[0] in PACKAGES


def _list_names(code: CodeType) -> Iterator[str]:
    """Yield the globals and attributes that code and the functions within it name."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _list_names(constant)
