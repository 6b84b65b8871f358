"""The finding of a judge: the calls that give evidence, and the faults among them."""

from collections.abc import Callable
from typing import NamedTuple

from deploy.conformance.trace import Call, Trace


class Fault(NamedTuple):
    """A way in which calls break a rule; `key` names it in `rules.yaml`."""

    key: str
    calls: tuple[Call, ...]


class Examination(NamedTuple):
    """The rule cannot be judged without an examined call."""

    examined: tuple[Call, ...]
    faults: tuple[Fault, ...]


Judge = Callable[[Trace], Examination]
