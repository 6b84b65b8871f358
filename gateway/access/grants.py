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

from gateway.access.right_in_force import (
    MAX_GRANTS_NAMED,
    CachedGrant,
    EffectiveRight,
    GrantedQuotas,
    combine_rights,
)
from shared.web.calls.auth import MAX_RIGHT_CODES

log = structlog.get_logger()

RIGHTS_CUT = Counter(
    "rights_cut_total", "Grants left out of a right because it would have too many codes"
)

# This bounds the header of the assertion, and the checks that a service makes.
MAX_ALTERNATIVES = 16


@dataclass(frozen=True, slots=True)
class Choices:
    rights: tuple[EffectiveRight, ...]
    until: float  # the next time at which a grant begins or ends


class ClientGrants:
    """The grants of one client system; each change of them creates a new object."""

    def __init__(self, agency: str, *, active: bool, grants: Sequence[CachedGrant]) -> None:
        self.agency, self.active = agency, active
        self._grants = grants
        self._choices: dict[str, Choices] = {}

    def for_operation(self, operation: str, now: float) -> tuple[EffectiveRight, ...]:
        """Return all rights to an operation, the widest first; empty where no grant is in force."""
        choices = self._choices.get(operation)
        if choices is None or now >= choices.until:
            choices = self._choices[operation] = _choose_rights(self._grants, operation, now)
        return choices.rights


class RightsUnknownError(Exception):
    """Some rights may not be loaded yet, so that nobody can be refused."""


class GrantCache:
    """Hold the rights of all clients.

    `complete` is false until they were compared with those of identity once. Only then a client
    that is not here does not exist, and a new installation publishes them one by one.
    """

    def __init__(self) -> None:
        self.complete = False
        self._clients: dict[str, ClientGrants] = {}

    async def check_complete(self) -> None:
        if not self.complete:
            raise RightsUnknownError

    def find_client_grants(self, client: str) -> ClientGrants | None:
        return self._clients.get(client)

    def replace_all_clients(self, clients: Mapping[str, ClientGrants]) -> None:
        self._clients = dict(clients)

    def replace_changed_clients(
        self, names: Iterable[str], clients: Mapping[str, ClientGrants]
    ) -> None:
        """Replace the clients `names`; a name that is not in `clients` is removed."""
        for name in names:
            self._clients.pop(name, None)
        self._clients.update(clients)


def list_covering_rights(
    rights: Sequence[EffectiveRight], purpose: str | None
) -> Sequence[EffectiveRight]:
    """Return the rights that cover the purpose, all without one; the widest stays the first."""
    return rights if purpose is None else [right for right in rights if right.covers(purpose)]


def unite_rights(fitting: Sequence[EffectiveRight]) -> EffectiveRight:
    """Combine the rights into one; at least one is required."""
    return fitting[0].combine_with_rights(tuple(fitting[1:MAX_ALTERNATIVES]))


def compute_largest_quotas(fitting: Sequence[EffectiveRight], purpose: str | None) -> GrantedQuotas:
    """Return the largest quotas of all grants that could carry a call for the purpose.

    `fitting` holds the rights that cover it.
    """
    named = [right.name_grants(purpose).quotas for right in fitting]
    return named[0] if len(named) == 1 else GrantedQuotas.take_largest_quotas(named)


def _choose_rights(grants: Sequence[CachedGrant], operation: str, now: float) -> Choices:
    naming = [grant for grant in grants if grant.covers(operation)]
    borders = [at for grant in naming for at in (grant.valid_from, grant.valid_to) if at > now]
    valid = [grant for grant in naming if grant.valid_from <= now < grant.valid_to]
    rights = [
        _join_procedures(same)
        for same in _group_by_key(_drop_excess_grants(valid), _agencies_and_fields_key)
    ]
    rights = [_join_agencies(same) for same in _group_by_key(rights, _procedures_and_fields_key)]
    return Choices(tuple(sorted(rights, key=_right_width_key)), min(borders, default=math.inf))


_Limited = TypeVar("_Limited", CachedGrant, EffectiveRight)
_RightKey = tuple[tuple[str, ...], ...]


def _group_by_key(
    limited: Iterable[_Limited], key: Callable[[_Limited], _RightKey]
) -> Iterator[list[_Limited]]:
    for _, same in groupby(sorted(limited, key=key), key):
        yield list(same)


def _agencies_and_fields_key(grant: CachedGrant) -> _RightKey:
    return _order_codes(grant.agencies), _order_codes(grant.fields)


def _procedures_and_fields_key(right: EffectiveRight) -> _RightKey:
    return _order_codes(right.procedures), _order_codes(right.fields)


def _order_codes(codes: frozenset[str] | None) -> tuple[str, ...]:
    """Return a sort key that orders "all codes" first and apart from "no codes"."""
    return () if codes is None else ("", *sorted(codes))


def _join_procedures(grants: Sequence[CachedGrant]) -> EffectiveRight:
    return EffectiveRight(
        grants=tuple(sorted(grant.id for grant in grants)),
        procedures=_unite_limits([grant.procedures for grant in grants]),
        fields=grants[0].fields,
        agencies=grants[0].agencies,
        ends=min(grant.valid_to for grant in grants),
        joined=tuple(grants),
    )


def _drop_excess_grants(grants: Sequence[CachedGrant]) -> Sequence[CachedGrant]:
    """Return as many grants as fit into `MAX_RIGHT_CODES`, those with the fewest codes first."""
    fewest_first = sorted(grants, key=lambda grant: (grant.count_codes(), grant.id))
    sums = accumulate(grant.count_codes() for grant in fewest_first)
    count = max(1, sum(1 for codes in sums if codes <= MAX_RIGHT_CODES))
    if left_out := fewest_first[count:]:
        RIGHTS_CUT.inc(len(left_out))
        named = [grant.id for grant in left_out[:MAX_GRANTS_NAMED]]
        log.error("right_cut", most=MAX_RIGHT_CODES, left_out=len(left_out), grants=named)
    return fewest_first[:count]


def _join_agencies(rights: Sequence[EffectiveRight]) -> EffectiveRight:
    first, *others = rights
    if not others:
        return first
    joined = combine_rights(first, others)
    joined.agencies, joined.others = _unite_limits([right.agencies for right in rights]), ()
    return joined


def _unite_limits(limits: Sequence[frozenset[str] | None]) -> frozenset[str] | None:
    limited = [codes for codes in limits if codes is not None]
    return frozenset().union(*limited) if len(limited) == len(limits) else None


def _right_width_key(right: EffectiveRight) -> tuple[bool, bool, bool, int, tuple[str, ...]]:
    """Return the sort key of a right, the widest first. The ids only make the order stable."""
    return (
        right.agencies is not None,
        right.fields is not None,
        right.procedures is not None,
        -len(right.procedures or ()),
        right.grants,
    )
