"""Cache the rights in force in memory and select the grants that cover a call.

Limits of different grants never mix: procedures × agencies × fields of one grant say nothing about
those of another. Grants that differ only in their procedures, or then only in their agencies, are
joined: some grant allows each row that the joined right allows. The remaining rights that cover the
purpose are forwarded together, the widest first (all agencies before some, then all fields before
some, then all procedures before some, then the most procedures). The call is allowed if one of them
covers it; only the service can decide which one does, because it has the row.

A right has at most `MAX_RIGHT_CODES`: a grant that would exceed it is left out and has no effect.
The quotas of a call are the largest of all grants that cover it, so that no grant lowers the quota
of another.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import TypeVar

import structlog
from prometheus_client import Counter

from gateway.access.rate_limits import GrantedQuotas
from gateway.access.right_in_force import MAX_GRANTS_NAMED, Grant, RightInForce, combine_rights
from shared.web.calls.auth import MAX_RIGHT_CODES

log = structlog.get_logger()

RIGHTS_CUT = Counter(
    "rights_cut_total", "Grants left out of a right because it would have too many codes"
)

# This bounds the header of the assertion, and the checks that a service makes.
MAX_ALTERNATIVES = 16


@dataclass(frozen=True, slots=True)
class Choices:
    rights: tuple[RightInForce, ...]
    until: float  # the next time at which a grant begins or ends


class ClientRights:
    """The grants of one client system; each change of them creates a new object."""

    def __init__(self, agency: str, *, active: bool, grants: Sequence[Grant]) -> None:
        self.agency, self.active = agency, active
        self._grants = grants
        self._choices: dict[str, Choices] = {}

    def to(self, operation: str, now: float) -> tuple[RightInForce, ...]:
        """Return all rights to an operation, the widest first; empty where no grant is in force."""
        choices = self._choices.get(operation)
        if choices is None or now >= choices.until:
            choices = self._choices[operation] = _choose(self._grants, operation, now)
        return choices.rights


class RightsUnknownError(Exception):
    """No right was loaded yet, so an unknown client cannot be refused."""


class Rights:
    """Hold the rights of all clients; `loaded` is false until they were read for the first time.

    `complete` is false until the worker has consumed all published grants once. Only then an empty
    cache means that no client exists, as in a new installation.
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
        """Replace the clients `names`; a name that is not in `clients` is removed."""
        for name in names:
            self._clients.pop(name, None)
        self._clients.update(clients)


def list_fitting(rights: Sequence[RightInForce], purpose: str | None) -> Sequence[RightInForce]:
    """Return the rights that cover the purpose, all without one; the widest stays the first."""
    return rights if purpose is None else [each for each in rights if each.covers(purpose)]


def unite_rights(fitting: Sequence[RightInForce]) -> RightInForce:
    """Combine the rights into one; at least one is required."""
    return fitting[0].combine(tuple(fitting[1:MAX_ALTERNATIVES]))


def largest_quotas(fitting: Sequence[RightInForce], purpose: str | None) -> GrantedQuotas:
    """Return the largest quotas of all grants that could carry a call for the purpose.

    `fitting` holds the rights that cover it.
    """
    named = [right.name_grants(purpose).quotas for right in fitting]
    return named[0] if len(named) == 1 else GrantedQuotas.largest(named)


def _choose(grants: Sequence[Grant], operation: str, now: float) -> Choices:
    naming = [grant for grant in grants if grant.covers(operation)]
    borders = [at for grant in naming for at in (grant.valid_from, grant.valid_to) if at > now]
    valid = [grant for grant in naming if grant.valid_from <= now < grant.valid_to]
    rights = [_join_procedures(same) for same in _alike(_cut(valid), _agencies_and_fields)]
    rights = [_join_agencies(same) for same in _alike(rights, _procedures_and_fields)]
    return Choices(tuple(sorted(rights, key=_narrowness)), min(borders, default=math.inf))


_Limited = TypeVar("_Limited", Grant, RightInForce)
_Key = tuple[tuple[str, ...], ...]


def _alike(
    limited: Iterable[_Limited], key: Callable[[_Limited], _Key]
) -> Iterator[list[_Limited]]:
    for _, same in groupby(sorted(limited, key=key), key):
        yield list(same)


def _agencies_and_fields(grant: Grant) -> _Key:
    return _ordered(grant.agencies), _ordered(grant.fields)


def _procedures_and_fields(right: RightInForce) -> _Key:
    return _ordered(right.procedures), _ordered(right.fields)


def _ordered(codes: frozenset[str] | None) -> tuple[str, ...]:
    """Return a sort key that orders "all codes" first and apart from "no codes"."""
    return () if codes is None else ("", *sorted(codes))


def _join_procedures(grants: Sequence[Grant]) -> RightInForce:
    return RightInForce(
        grants=tuple(sorted(grant.id for grant in grants)),
        procedures=_union([grant.procedures for grant in grants]),
        fields=grants[0].fields,
        agencies=grants[0].agencies,
        ends=min(grant.valid_to for grant in grants),
        joined=tuple(grants),
    )


def _cut(grants: Sequence[Grant]) -> Sequence[Grant]:
    """Return as many grants as fit into `MAX_RIGHT_CODES`, those with the fewest codes first."""
    fewest_first = sorted(grants, key=lambda grant: (grant.count_codes(), grant.id))
    sums = accumulate(grant.count_codes() for grant in fewest_first)
    kept = max(1, sum(1 for codes in sums if codes <= MAX_RIGHT_CODES))
    if left_out := fewest_first[kept:]:
        RIGHTS_CUT.inc(len(left_out))
        named = [grant.id for grant in left_out[:MAX_GRANTS_NAMED]]
        log.error("right_cut", most=MAX_RIGHT_CODES, left_out=len(left_out), grants=named)
    return fewest_first[:kept]


def _join_agencies(rights: Sequence[RightInForce]) -> RightInForce:
    first, *others = rights
    if not others:
        return first
    joined = combine_rights(first, others)
    joined.agencies, joined.others = _union([right.agencies for right in rights]), ()
    return joined


def _union(limits: Sequence[frozenset[str] | None]) -> frozenset[str] | None:
    limited = [codes for codes in limits if codes is not None]
    return frozenset().union(*limited) if len(limited) == len(limits) else None


def _narrowness(right: RightInForce) -> tuple[bool, bool, bool, int, tuple[str, ...]]:
    """Return the sort key of a right, the widest first. The ids only make the order stable."""
    return (
        right.agencies is not None,
        right.fields is not None,
        right.procedures is not None,
        -len(right.procedures or ()),
        right.grants,
    )
