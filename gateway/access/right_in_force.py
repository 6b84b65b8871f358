"""Define the right in force of a client to one operation: the sum of several grants."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from shared.codes.coverage import list_covering_codes

ANY_OPERATION = "*"
# A record names at most this many of the grants of a right.
MAX_GRANTS_NAMED = 8
MAX_CACHED_PURPOSES = 1_000


class GrantedQuotas(NamedTuple):
    """The quotas of a grant, or the largest of several that could carry a call.

    `by_default`: one of the grants has no quota per second, so the default is the minimum.
    `per_day` is None where one of them has no daily quota.
    """

    per_second: int | None = None
    per_day: int | None = None
    by_default: bool = True

    @classmethod
    def take_largest_quotas(cls, all_quotas: Sequence[Self]) -> Self:
        """Return the largest quota of each kind, so that no grant lowers those of another."""
        seconds = [quotas.per_second for quotas in all_quotas if quotas.per_second is not None]
        days = [quotas.per_day for quotas in all_quotas if quotas.per_day is not None]
        return cls(
            per_second=max(seconds, default=None),
            per_day=max(days) if days and len(days) == len(all_quotas) else None,
            by_default=any(quotas.by_default for quotas in all_quotas),
        )


@dataclass(frozen=True, slots=True)
class CachedGrant:
    """A published grant that is not revoked; None means all. Instants are Unix seconds."""

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
        """Count the grant itself and its codes, as identity_service does for its limit."""
        limits = self.procedures, self.fields, self.agencies
        return 1 + sum(len(codes) for codes in limits if codes is not None)


class NamedGrants(NamedTuple):
    """The ids of the grants that carry a call, their legal bases, and their joint quotas."""

    ids: tuple[str, ...]
    legal_bases: tuple[str, ...]
    quotas: GrantedQuotas


@dataclass(slots=True, eq=False)
class EffectiveRight:
    """The right of a client to one operation now, valid until `ends`.

    `joined` holds the grants of the right. `others` are alternative limits, each of which allows a
    call by itself. `signed`, `signed_at` and `signed_until` are the cache of the signer.
    """

    grants: tuple[str, ...]
    procedures: frozenset[str] | None
    fields: frozenset[str] | None
    agencies: frozenset[str] | None
    ends: float
    signed: str = ""
    signed_at: float = -math.inf
    signed_until: float = -math.inf
    joined: tuple[CachedGrant, ...] = ()
    others: tuple["EffectiveRight", ...] = ()
    _combined: dict[tuple["EffectiveRight", ...], "EffectiveRight"] = field(
        default_factory=dict, repr=False
    )
    _named: dict[str | None, NamedGrants] = field(default_factory=dict, repr=False)

    def name_grants(self, purpose: str | None) -> NamedGrants:
        """Return the first grants by id that carry a call for the purpose.

        None stands for a call without a purpose.
        """
        named = self._named.get(purpose)
        if named is None:
            if len(self._named) >= MAX_CACHED_PURPOSES:
                self._named.clear()
            named = self._named[purpose] = _name_carrying_grants(self.joined, purpose)
        return named

    def covers(self, purpose: str) -> bool:
        return self.procedures is None or not self.procedures.isdisjoint(
            list_covering_codes(purpose)
        )

    def combine_with_rights(self, others: tuple["EffectiveRight", ...]) -> "EffectiveRight":
        """Return the right that joins the limits of this one and of the others.

        The same others give the same object, so that one signature serves all purposes that the
        same rights cover.
        """
        if not others:
            return self
        combined = self._combined.get(others)
        if combined is None:
            if len(self._combined) >= MAX_CACHED_PURPOSES:
                self._combined.clear()
            combined = self._combined[others] = combine_rights(self, others)
        return combined


def combine_rights(first: EffectiveRight, others: Sequence[EffectiveRight]) -> EffectiveRight:
    together = (first, *others)
    return EffectiveRight(
        grants=tuple(sorted(grant for right in together for grant in right.grants)),
        procedures=first.procedures,
        fields=first.fields,
        agencies=first.agencies,
        ends=min(right.ends for right in together),
        joined=tuple(grant for right in together for grant in right.joined),
        others=_drop_contained(together)[1:],
    )


def _drop_contained(rights: Sequence[EffectiveRight]) -> tuple[EffectiveRight, ...]:
    """Drop each right whose calls another, wider right allows entirely."""
    widest: list[EffectiveRight] = []
    for right in rights:
        if not any(_is_wider_right(wider, right) for wider in widest):
            widest.append(right)
    return tuple(widest)


def _is_wider_right(wider: EffectiveRight, right: EffectiveRight) -> bool:
    return all(
        more is None or (some is not None and some <= more)
        for more, some in (
            (wider.procedures, right.procedures),
            (wider.fields, right.fields),
            (wider.agencies, right.agencies),
        )
    )


def _name_carrying_grants(grants: Sequence[CachedGrant], purpose: str | None) -> NamedGrants:
    codes = () if purpose is None else list_covering_codes(purpose)
    carrying = [
        grant
        for grant in grants
        if purpose is None or grant.procedures is None or not grant.procedures.isdisjoint(codes)
    ]
    first = sorted(carrying, key=lambda grant: grant.id)[:MAX_GRANTS_NAMED]
    legal_bases = dict.fromkeys(grant.legal_basis for grant in first)
    quotas = GrantedQuotas.take_largest_quotas([grant.quotas for grant in carrying])
    return NamedGrants(tuple(grant.id for grant in first), tuple(legal_bases), quotas)
