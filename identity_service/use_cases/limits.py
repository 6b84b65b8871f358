"""Nobody gives away more than it has itself: what is None is all, and all is more than some."""

from collections.abc import Callable, Collection

from shared.auth import CallContext, NotAllowed

Named = Collection[str] | None


def require_agencies_covered(caller: CallContext, agencies: Named) -> None:
    _require("agencies", agencies, caller.right.agencies, caller.right.covers_agency)


def require_procedures_covered(caller: CallContext, procedures: Named) -> None:
    _require("procedures", procedures, caller.right.procedures, caller.right.covers_procedure)


def require_fields_covered(caller: CallContext, fields: Named) -> None:
    own = caller.right.fields
    _require("fields", fields, own, lambda field: own is None or field in own)


def _require(name: str, named: Named, own: Named, covers: Callable[[str], bool]) -> None:
    if own is None or (named and all(map(covers, named))):
        return
    raise NotAllowed(f"Limit `{name}` to those that your own right covers.", **{name: sorted(own)})
