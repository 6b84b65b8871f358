"""The rights in force, in memory: which of a client's grants carries a call.

Limits of different grants never mix: procedures × agencies × fields of one grant say nothing about
those of another. Only grants with the same fields and the same agencies are taken together, their
procedures joined: what comes out is then allowed by some grant, row by row. A right has at most
`MAX_RIGHT_CODES`: a grant that would make it longer is left out, and gives nothing. The quotas of a
call are the largest of all grants that could carry it, so that no grant lowers those of another.
Where several such rights fit a call, exactly one is taken:

* with a purpose, the one that names it among its procedures, else one that names the national form
  of it, else one for all procedures;
* without (a list), the widest: all agencies before some, then all fields before some, then all
  procedures before some, then the most of them.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, groupby
from typing import NamedTuple

import structlog
from prometheus_client import Counter

from gateway.limits import GrantedQuotas
from shared.auth import MAX_RIGHT_CODES
from shared.events.codes import covering_codes

log = structlog.get_logger()

RIGHTS_CUT = Counter(
    "rights_cut_total", "Grants left out of a right because it would have too many codes"
)

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

    @property
    def quotas(self) -> GrantedQuotas:
        return GrantedQuotas(self.per_second, self.per_day, by_default=self.per_second is None)

    def count_codes(self) -> int:
        """Count the grant itself and its codes, as identity_service bounds them."""
        limits = self.procedures, self.fields, self.agencies
        return 1 + sum(len(codes) for codes in limits if codes is not None)


class NamedGrants(NamedTuple):
    """The ids of the grants that carry a call, their legal bases, and the quotas of them all."""

    ids: tuple[str, ...]
    legal_bases: tuple[str, ...]
    quotas: GrantedQuotas


@dataclass(slots=True, eq=False)
class RightInForce:
    """The right of a client to one operation now, good until `ends`.

    `joined` are the grants that it is made of.
    `signed`, `signed_at` and `signed_until` belong to whoever asserts it.
    """

    grants: tuple[str, ...]
    procedures: frozenset[str] | None
    fields: frozenset[str] | None
    agencies: frozenset[str] | None
    ends: float
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


def largest_quotas(rights: Sequence[RightInForce], purpose: str | None) -> GrantedQuotas:
    """Return the largest quotas of all grants that could carry a call for the purpose."""
    fitting = [right for right in rights if purpose is None or right.covers(purpose)]
    named = [right.name_grants(purpose).quotas for right in fitting]
    return named[0] if len(named) == 1 else GrantedQuotas.largest(named)


def _name(grants: Sequence[Grant], purpose: str | None) -> NamedGrants:
    codes = () if purpose is None else covering_codes(purpose)
    carrying = [
        grant
        for grant in grants
        if purpose is None or grant.procedures is None or not grant.procedures.isdisjoint(codes)
    ]
    first = sorted(carrying, key=lambda grant: grant.id)[:MAX_GRANTS_NAMED]
    legal_bases = dict.fromkeys(grant.legal_basis for grant in first)
    quotas = GrantedQuotas.largest([grant.quotas for grant in carrying])
    return NamedGrants(tuple(grant.id for grant in first), tuple(legal_bases), quotas)


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


def _joined(naming: Sequence[Grant]) -> RightInForce:
    grants = _cut(naming)
    return RightInForce(
        grants=tuple(sorted(grant.id for grant in grants)),
        procedures=_union([grant.procedures for grant in grants]),
        fields=grants[0].fields,
        agencies=grants[0].agencies,
        ends=min(grant.valid_to for grant in grants),
        joined=tuple(grants),
    )


def _cut(grants: Sequence[Grant]) -> Sequence[Grant]:
    """Return the grants that have `MAX_RIGHT_CODES` together, those with the fewest first."""
    fewest_first = sorted(grants, key=lambda grant: (grant.count_codes(), grant.id))
    sums = accumulate(grant.count_codes() for grant in fewest_first)
    kept = max(1, sum(1 for codes in sums if codes <= MAX_RIGHT_CODES))
    if left_out := fewest_first[kept:]:
        RIGHTS_CUT.inc(len(left_out))
        named = [grant.id for grant in left_out[:MAX_GRANTS_NAMED]]
        log.error("right_cut", most=MAX_RIGHT_CODES, left_out=len(left_out), grants=named)
    return fewest_first[:kept]


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
