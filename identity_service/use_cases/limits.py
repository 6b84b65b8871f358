"""Nobody gives away more than it has itself: what is None is all, and all is more than some."""

from collections.abc import Callable, Collection
from datetime import datetime

from identity_service.models import Grant
from identity_service.schemas import GrantIn
from shared.auth import CallContext, NotAllowed
from shared.events.codes import covering_codes, is_within

Named = Collection[str] | None


def require_agencies_covered(caller: CallContext, agencies: Named) -> None:
    _require("agencies", agencies, caller.right.agencies, caller.right.covers_agency)


def require_procedures_covered(caller: CallContext, procedures: Named) -> None:
    _require("procedures", procedures, caller.right.procedures, caller.right.covers_procedure)


def require_fields_covered(caller: CallContext, fields: Named) -> None:
    own = caller.right.fields
    _require("fields", fields, own, lambda field: own is None or field in own)


def covers_grant(held: Grant, new: GrantIn, valid_from: datetime) -> bool:
    """Return whether the limits, times and quotas of `new` lie within those of one grant."""
    agencies, procedures, fields = held.agencies, held.procedures, held.fields
    return (
        _covers(agencies, new.agencies, lambda code: is_within(code, agencies or ()))
        and _covers(
            procedures,
            new.procedures,
            lambda code: not set(procedures or ()).isdisjoint(covering_codes(code)),
        )
        and _covers(fields, new.fields, lambda field: field in (fields or ()))
        and held.valid_from <= valid_from
        and (held.valid_to is None or (new.valid_to is not None and new.valid_to <= held.valid_to))
        and _covers_quota(held.per_second, new.per_second)
        and _covers_quota(held.per_day, new.per_day)
    )


def _covers_quota(own: int | None, named: int | None) -> bool:
    """A grant without a quota has the default of the mesh, and bounds no other one."""
    return own is None or (named is not None and named <= own)


def _covers(own: Named, named: Named, covers: Callable[[str], bool]) -> bool:
    return own is None or (named is not None and all(map(covers, named)))


def _require(name: str, named: Named, own: Named, covers: Callable[[str], bool]) -> None:
    if own is None or (named and all(map(covers, named))):
        return
    raise NotAllowed(f"Limit `{name}` to those that your own right covers.", **{name: sorted(own)})
