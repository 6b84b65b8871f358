"""Check that a grant stays within the rights of its giver; a limit of None means all."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from identity_service.agencies.problems import refuse_beyond
from shared.codes.coverage import canonical_codes, list_covering_codes, list_self_and_above
from shared.web.calls.auth import CallContext, NotAllowed
from shared.web.calls.rights import Codes, Limits

OptionalCodes = Collection[str] | None


class GrantLimits(Protocol):
    """List the limits of a grant or of the request for one; None means all, no end or no quota."""

    @property
    def agencies(self) -> OptionalCodes: ...
    @property
    def procedures(self) -> OptionalCodes: ...
    @property
    def fields(self) -> OptionalCodes: ...
    @property
    def valid_to(self) -> datetime | None: ...
    @property
    def per_second(self) -> int | None: ...
    @property
    def per_day(self) -> int | None: ...


class HeldLimits(GrantLimits, Protocol):
    """List the limits of a grant that the giver has."""

    @property
    def valid_from(self) -> datetime: ...


HeldGrant = TypeVar("HeldGrant", bound=HeldLimits)


def require_limits_covered(caller: CallContext, requested: GrantLimits) -> None:
    """Raise NotAllowed unless an alternative of the caller's right covers the requested limits."""
    refusals = [_find_limit_refusal(limits, requested) for limits in caller.right.alternatives]
    if (refusal := refusals[0]) and all(refusals):
        raise refusal


def select_covering_grants(
    held: Collection[HeldGrant], requested: GrantLimits, valid_from: datetime
) -> Sequence[HeldGrant]:
    """Return the held grants that each cover the limits, times and quotas of `requested` alone.

    The cost grows with the sum of the list lengths, not with their product.
    """
    agencies = _Coverage(_canonical(requested.agencies), list_self_and_above)
    procedures = _Coverage(_canonical(requested.procedures), list_covering_codes)
    fields = _Coverage(requested.fields, lambda field: (field,))
    return [
        grant
        for grant in held
        if _covers_time_and_quotas(grant, requested, valid_from)
        and agencies.is_within(_canonical(grant.agencies))
        and procedures.is_within(_canonical(grant.procedures))
        and fields.is_within(grant.fields)
    ]


def _canonical(codes: OptionalCodes) -> OptionalCodes:
    """Return the codes in one form: grants of before may have been written in the other."""
    return None if codes is None else canonical_codes(codes)


class _Coverage:
    """Count, for each code that may cover some of the codes given, how many it covers."""

    def __init__(self, codes: OptionalCodes, covering: Callable[[str], Sequence[str]]) -> None:
        """`covering` returns the code itself first, then the wider ones that cover it."""
        self._codes = None if codes is None else set(codes)
        self._covering = covering
        self._counts = Counter(above for code in self._codes or () for above in covering(code))

    def is_within(self, giver_codes: OptionalCodes) -> bool:
        """Return whether `giver_codes` cover each of the codes."""
        if giver_codes is None or self._codes is None:
            return giver_codes is None
        useful = {code for code in giver_codes if code in self._counts}
        # A code below another useful one covers nothing that the other does not.
        widest = (code for code in useful if useful.isdisjoint(self._covering(code)[1:]))
        return sum(self._counts[code] for code in widest) == len(self._codes)


def _covers_time_and_quotas(held: HeldLimits, requested: GrantLimits, valid_from: datetime) -> bool:
    return (
        held.valid_from <= valid_from
        and (
            held.valid_to is None
            or (requested.valid_to is not None and requested.valid_to <= held.valid_to)
        )
        and _covers_quota(held.per_second, requested.per_second)
        and _covers_quota(held.per_day, requested.per_day)
    )


def _covers_quota(giver_quota: int | None, quota: int | None) -> bool:
    """Return whether `giver_quota` covers the quota; a grant without a quota covers each."""
    return giver_quota is None or (quota is not None and quota <= giver_quota)


def _find_limit_refusal(giver_limits: Limits, requested: GrantLimits) -> NotAllowed | None:
    """Return the refusal of the first limit of `requested` that lies beyond the giver's own."""
    if not _covers_codes(giver_limits.agencies, requested.agencies, giver_limits.covers_agency):
        return refuse_beyond("agencies", giver_limits.agencies)
    if not _covers_codes(
        giver_limits.procedures, requested.procedures, giver_limits.covers_procedure
    ):
        return refuse_beyond("procedures", giver_limits.procedures)
    if not _covers_codes(
        giver_limits.fields, requested.fields, lambda field: giver_limits.covers_fields([field])
    ):
        return refuse_beyond("fields", giver_limits.fields)
    return None


def _covers_codes(giver_codes: Codes, codes: OptionalCodes, covers: Callable[[str], bool]) -> bool:
    return giver_codes is None or bool(codes and all(map(covers, codes)))
