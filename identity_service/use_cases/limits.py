"""Nobody gives away more than it has itself: what is None is all, and all is more than some."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from identity_service.models import Grant
from identity_service.problems import named as first_named
from identity_service.schemas import GrantIn
from shared.auth import CallContext, NotAllowed
from shared.events.codes import covering_codes, self_and_above

Named = Collection[str] | None


def require_agencies_covered(caller: CallContext, agencies: Named) -> None:
    _require("agencies", agencies, caller.right.agencies, caller.right.covers_agency)


def require_procedures_covered(caller: CallContext, procedures: Named) -> None:
    _require("procedures", procedures, caller.right.procedures, caller.right.covers_procedure)


def require_fields_covered(caller: CallContext, fields: Named) -> None:
    own = caller.right.fields
    _require("fields", fields, own, lambda field: own is None or field in own)


def select_covering(held: Collection[Grant], new: GrantIn, valid_from: datetime) -> Sequence[Grant]:
    """Return the held grants of which one alone covers limits, times and quotas of `new`.

    The work is bounded by the lengths of the lists added up, never multiplied.
    """
    agencies = _Coverage(new.agencies, self_and_above)
    procedures = _Coverage(new.procedures, covering_codes)
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
        """Return whether `own` covers each of the codes; only those of `own` are looked at."""
        if own is None or self._codes is None:
            return own is None
        useful = {code for code in own if code in self._counts}
        # A code below another useful one covers nothing that the other does not.
        widest = (code for code in useful if useful.isdisjoint(self._covering(code)[1:]))
        return sum(self._counts[code] for code in widest) == len(self._codes)


def _covers_time_and_quotas(held: Grant, new: GrantIn, valid_from: datetime) -> bool:
    return (
        held.valid_from <= valid_from
        and (held.valid_to is None or (new.valid_to is not None and new.valid_to <= held.valid_to))
        and _covers_quota(held.per_second, new.per_second)
        and _covers_quota(held.per_day, new.per_day)
    )


def _covers_quota(own: int | None, named: int | None) -> bool:
    """A grant without a quota has the default of the mesh, and bounds no other one."""
    return own is None or (named is not None and named <= own)


def _require(name: str, named: Named, own: Named, covers: Callable[[str], bool]) -> None:
    if own is None or (named and all(map(covers, named))):
        return
    raise NotAllowed(
        f"Limit `{name}` to those that your own right covers. It lists the first of them.",
        **{name: first_named(own)},
    )
