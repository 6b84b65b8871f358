"""The rights in force, in memory: which of a client's grants carries a call.

Limits of different grants never mix: procedures × agencies × fields of one grant say nothing about
those of another. Only grants with the same fields and the same agencies are taken together, their
procedures joined: what comes out is then allowed by some grant, row by row. Where several such
rights fit a call, exactly one is taken:

* with a purpose, the one that names it among its procedures, else one that names the national form
  of it, else one for all procedures;
* without (a list), the widest: all agencies before some, then all fields before some, then all
  procedures before some, then the most of them.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from shared.events.codes import covering_codes

ANY_OPERATION = "*"
# Of a right that joins hundreds of grants a record names a few.
MAX_GRANTS_NAMED = 8
MAX_PURPOSES_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Grant:
    """As identity told it and not revoked; None means all. Instants are Unix seconds."""

    id: str
    operations: frozenset[str]
    procedures: frozenset[str] | None
    fields: frozenset[str] | None
    agencies: frozenset[str] | None
    valid_from: float
    valid_to: float
    per_second: int | None
    per_day: int | None
    legal_basis: str

    def covers(self, operation: str) -> bool:
        return operation in self.operations or ANY_OPERATION in self.operations


class NamedGrants(NamedTuple):
    """The ids of the grants that carry a call, and the legal bases that they state."""

    ids: tuple[str, ...]
    legal_bases: tuple[str, ...]


@dataclass(slots=True, eq=False)
class RightInForce:
    """What a client may do with one operation now; it may be used until `ends`.

    `per_second` and `per_day` are the largest of its grants, None where none of them says.
    `joined` are the grants that it is made of.
    `signed`, `signed_at` and `signed_until` belong to whoever asserts it.
    """

    grants: tuple[str, ...]
    procedures: frozenset[str] | None
    fields: frozenset[str] | None
    agencies: frozenset[str] | None
    ends: float
    per_second: int | None
    per_day: int | None
    signed: str = ""
    signed_at: float = -math.inf
    signed_until: float = -math.inf
    joined: tuple[Grant, ...] = ()
    _named: dict[str | None, NamedGrants] = field(default_factory=dict, repr=False)

    def name_grants(self, purpose: str | None) -> NamedGrants:
        """Return the first grants, by id, that carry a call for the purpose, or any call."""
        named = self._named.get(purpose)
        if named is None:
            if len(self._named) >= MAX_PURPOSES_KEPT:
                self._named.clear()
            named = self._named[purpose] = _name(self.joined, purpose)
        return named

    def covers(self, purpose: str) -> bool:
        return self.procedures is None or not self.procedures.isdisjoint(covering_codes(purpose))

    def distance(self, purpose: str) -> int:
        """Of a purpose that it covers: 0 where it is named, 2 where everything is."""
        if self.procedures is None:
            return 2
        return 0 if purpose in self.procedures else 1


@dataclass(frozen=True, slots=True)
class Choices:
    rights: tuple[RightInForce, ...]
    until: float  # a grant begins or ends then


class ClientRights:
    """One client system with its grants. A change of either makes a new one of these."""

    def __init__(self, agency: str, *, active: bool, grants: Sequence[Grant]) -> None:
        self.agency, self.active = agency, active
        self._grants = grants
        self._choices: dict[str, Choices] = {}

    def to(self, operation: str, now: float) -> tuple[RightInForce, ...]:
        """All rights to an operation, the widest first; none where no grant is in force."""
        choices = self._choices.get(operation)
        if choices is None or now >= choices.until:
            choices = self._choices[operation] = _choose(self._grants, operation, now)
        return choices.rights


class RightsUnknownError(Exception):
    """No right is known: that no client is known does not tell that there is none."""


class Rights:
    """Every client's; `loaded` is false until they were read for the first time.

    `complete` is false until the worker has once consumed all that was published of them. Only then
    no clients means that there are none: so an installation begins.
    """

    def __init__(self) -> None:
        self.loaded = self.complete = False
        self._clients: dict[str, ClientRights] = {}

    async def check_loaded(self) -> None:
        if not self.loaded or not (self._clients or self.complete):
            raise RightsUnknownError

    def of(self, client: str) -> ClientRights | None:
        return self._clients.get(client)

    def replace_all(self, clients: Mapping[str, ClientRights]) -> None:
        self._clients, self.loaded = dict(clients), True

    def replace(self, names: Iterable[str], clients: Mapping[str, ClientRights]) -> None:
        """`names` are read again; whoever is not among `clients` is gone."""
        for name in names:
            self._clients.pop(name, None)
        self._clients.update(clients)


def pick(rights: Sequence[RightInForce], purpose: str | None) -> RightInForce | None:
    """By the rule above; None where the purpose is covered by none of them."""
    if purpose is None:
        return rights[0] if rights else None
    fitting = [right for right in rights if right.covers(purpose)]
    return min(fitting, key=lambda right: right.distance(purpose), default=None)


def _name(grants: Sequence[Grant], purpose: str | None) -> NamedGrants:
    codes = () if purpose is None else covering_codes(purpose)
    carrying = [
        grant
        for grant in grants
        if purpose is None or grant.procedures is None or not grant.procedures.isdisjoint(codes)
    ]
    first = sorted(carrying, key=lambda grant: grant.id)[:MAX_GRANTS_NAMED]
    legal_bases = dict.fromkeys(grant.legal_basis for grant in first)
    return NamedGrants(tuple(grant.id for grant in first), tuple(legal_bases))


def _choose(grants: Sequence[Grant], operation: str, now: float) -> Choices:
    naming = [grant for grant in grants if grant.covers(operation)]
    borders = [at for grant in naming for at in (grant.valid_from, grant.valid_to) if at > now]
    valid = [grant for grant in naming if grant.valid_from <= now < grant.valid_to]
    rights = [_joined(tuple(same)) for _, same in groupby(sorted(valid, key=_limits), _limits)]
    return Choices(tuple(sorted(rights, key=_narrowness)), min(borders, default=math.inf))


def _limits(grant: Grant) -> tuple[tuple[str, ...], ...]:
    return _ordered(grant.agencies), _ordered(grant.fields)


def _ordered(codes: frozenset[str] | None) -> tuple[str, ...]:
    """All comes first, and is not the same as none."""
    return () if codes is None else ("", *sorted(codes))


def _joined(grants: Sequence[Grant]) -> RightInForce:
    return RightInForce(
        grants=tuple(sorted(grant.id for grant in grants)),
        procedures=_union([grant.procedures for grant in grants]),
        fields=grants[0].fields,
        agencies=grants[0].agencies,
        ends=min(grant.valid_to for grant in grants),
        per_second=max((g.per_second for g in grants if g.per_second is not None), default=None),
        per_day=max((g.per_day for g in grants if g.per_day is not None), default=None),
        joined=tuple(grants),
    )


def _union(all_procedures: Sequence[frozenset[str] | None]) -> frozenset[str] | None:
    limited = [procedures for procedures in all_procedures if procedures is not None]
    return frozenset().union(*limited) if len(limited) == len(all_procedures) else None


def _narrowness(right: RightInForce) -> tuple[bool, bool, bool, int, tuple[str, ...]]:
    return (
        right.agencies is not None,
        right.fields is not None,
        right.procedures is not None,
        -len(right.procedures or ()),
        right.grants,
    )
