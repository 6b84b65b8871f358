"""Check that a grant stays within the rights of its giver; a limit of None means all."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from identity_service.agencies.problems import refuse_beyond
from shared.codes.coverage import list_covering_codes, list_self_and_above
from shared.web.calls.auth import CallContext, NotAllowed
from shared.web.calls.rights import Codes, Limits

Named = Collection[str] | None


class Limited(Protocol):
    """List the limits of a grant or of the request for one; None means all, no end or no quota."""

    @property
    def agencies(self) -> Named: ...
    @property
    def procedures(self) -> Named: ...
    @property
    def fields(self) -> Named: ...
    @property
    def valid_to(self) -> datetime | None: ...
    @property
    def per_second(self) -> int | None: ...
    @property
    def per_day(self) -> int | None: ...


class Held(Limited, Protocol):
    """List the limits of a grant that the giver has."""

    @property
    def valid_from(self) -> datetime: ...


HeldGrant = TypeVar("HeldGrant", bound=Held)


def require_limits_covered(caller: CallContext, new: Limited) -> None:
    """Raise NotAllowed unless one alternative of the caller's right covers the limits of `new`."""
    refusals = [_find_beyond(limits, new) for limits in caller.right.alternatives]
    if (refusal := refusals[0]) and all(refusals):
        raise refusal


def select_covering(
    held: Collection[HeldGrant], new: Limited, valid_from: datetime
) -> Sequence[HeldGrant]:
    """Return the held grants that each cover the limits, times and quotas of `new` alone.

    The cost grows with the sum of the list lengths, not with their product.
    """
    agencies = _Coverage(new.agencies, list_self_and_above)
    procedures = _Coverage(new.procedures, list_covering_codes)
    fields = _Coverage(new.fields, lambda field: (field,))
    return [
        grant
        for grant in held
        if _covers_time_and_quotas(grant, new, valid_from)
        and agencies.is_within(grant.agencies)
        and procedures.is_within(grant.procedures)
        and fields.is_within(grant.fields)
    ]


class _Coverage:
    """Count, for each code that may cover some of the codes given, how many it covers."""

    def __init__(self, codes: Named, covering: Callable[[str], Sequence[str]]) -> None:
        """`covering` returns the code itself first, then the wider ones that cover it."""
        self._codes = None if codes is None else set(codes)
        self._covering = covering
        self._counts = Counter(above for code in self._codes or () for above in covering(code))

    def is_within(self, own: Named) -> bool:
        """Return whether `own` covers each of the codes."""
        if own is None or self._codes is None:
            return own is None
        useful = {code for code in own if code in self._counts}
        # A code below another useful one covers nothing that the other does not.
        widest = (code for code in useful if useful.isdisjoint(self._covering(code)[1:]))
        return sum(self._counts[code] for code in widest) == len(self._codes)


def _covers_time_and_quotas(held: Held, new: Limited, valid_from: datetime) -> bool:
    return (
        held.valid_from <= valid_from
        and (held.valid_to is None or (new.valid_to is not None and new.valid_to <= held.valid_to))
        and _covers_quota(held.per_second, new.per_second)
        and _covers_quota(held.per_day, new.per_day)
    )


def _covers_quota(own: int | None, named: int | None) -> bool:
    """Return whether `own` covers the quota; a grant without a quota covers each."""
    return own is None or (named is not None and named <= own)


def _find_beyond(own: Limits, new: Limited) -> NotAllowed | None:
    """Return the refusal of the first limit of `new` that lies beyond the giver's own."""
    if not _covers(own.agencies, new.agencies, own.covers_agency):
        return refuse_beyond("agencies", own.agencies)
    if not _covers(own.procedures, new.procedures, own.covers_procedure):
        return refuse_beyond("procedures", own.procedures)
    if not _covers(own.fields, new.fields, lambda field: own.covers_fields([field])):
        return refuse_beyond("fields", own.fields)
    return None


def _covers(own: Codes, named: Named, covers: Callable[[str], bool]) -> bool:
    return own is None or bool(named and all(map(covers, named)))
