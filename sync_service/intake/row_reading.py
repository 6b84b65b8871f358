"""Validate pushed rows and compare them with the right of their sender."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from shared.codes.agency import CodeError
from shared.codes.dossier import parse_dossier_code
from shared.rules.dossier_times import list_time_faults
from shared.web.bodies.schema_navigator import SchemaNavigator
from shared.web.bodies.validation_messages import describe_fault
from shared.web.calls.rights import Limits, Right
from sync_service.intake.row_rules import RowRefusal
from sync_service.intake.schemas import OWN_RULES, DossierRow, ProgressRow, PushedRow
from sync_service.national_view.state import DossierState

AnyRow = TypeVar("AnyRow", bound=PushedRow)

DOSSIER_ROW: Final = TypeAdapter(DossierRow)
PROGRESS_ROW: Final = TypeAdapter(ProgressRow)


# The number for one row is limited, so that the answer to a full push stays small.
MAX_ROW_FAULTS = 3
# More rows than this would block the event loop too long, and are validated in a thread.
ROWS_ON_LOOP = 50


async def read_rows(
    read: Callable[[Any, Right, datetime], AnyRow | RowRefusal],
    rows: Sequence[Any],
    right: Right,
    now: datetime,
) -> list[AnyRow | RowRefusal]:
    """Return each row as validated by `read`, or its refusal, in the order of the rows."""

    def read_all() -> list[AnyRow | RowRefusal]:
        return [read(row, right, now) for row in rows]

    return read_all() if len(rows) <= ROWS_ON_LOOP else await asyncio.to_thread(read_all)


def read_dossier_row(row: Any, right: Right, now: datetime) -> DossierRow | RowRefusal:
    reading = _validate_row(DOSSIER_ROW, row, now)
    if isinstance(reading, RowRefusal):
        return reading
    refusals = [
        _refuse_issuer(limits, reading) or _refuse_beyond(limits, reading)
        for limits in right.alternatives
    ]
    return reading if None in refusals else refusals[0] or reading


def read_progress_row(row: Any, right: Right, now: datetime) -> ProgressRow | RowRefusal:
    reading = _validate_row(PROGRESS_ROW, row, now)
    if isinstance(reading, RowRefusal):
        return reading
    refusals = [_refuse_issuer(limits, reading) for limits in right.alternatives]
    return reading if None in refusals else refusals[0] or reading


def _validate_row(shape: TypeAdapter[AnyRow], row: Any, now: datetime) -> AnyRow | RowRefusal:
    try:
        read = shape.validate_python(row)
    except ValidationError as error:
        return _make_refusal(error, _build_navigator(shape))
    # A row with a time in the future would make all later rows stale.
    if faults := list(list_time_faults(read.instants, now)):
        return RowRefusal(faults[0].rule, "; ".join(fault.detail for fault in faults))
    return read


@cache
def _build_navigator(kind: TypeAdapter[Any]) -> SchemaNavigator:
    schema = kind.json_schema()
    return SchemaNavigator(schema, schema)


def _make_refusal(error: ValidationError, shape: SchemaNavigator) -> RowRefusal:
    """Return a refusal with the place and kind of each fault, never a value: it may be personal."""
    faults = error.errors(include_url=False, include_input=False)
    descriptions = [describe_fault(fault, shape) for fault in faults[:MAX_ROW_FAULTS]]
    detail = "; ".join(f"{fault['at'] or 'row'}: {fault['is']}" for fault in descriptions)
    if more := len(faults) - len(descriptions):
        detail += f"; and {more} more"
    rule = faults[0]["type"]
    return RowRefusal(rule if rule in OWN_RULES else "invalid_row", detail)


def _refuse_issuer(limits: Limits, reading: PushedRow) -> RowRefusal | None:
    """Refuse a code of an agency outside the limits; the other members of the row prove nothing."""
    if limits.covers_agency(parse_dossier_code(reading.code).agency):
        return None
    return RowRefusal(
        "agency_not_covered",
        "Your right does not reach the agency in the dossier code: push only dossiers with codes "
        "that your own agencies issued, or ask the operator for a wider right.",
    )


def refuse_outside(right: Right, dossier: DossierRow | DossierState) -> RowRefusal | None:
    """Return None where one alternative of the right covers the dossier, else the first refusal."""
    refusals = [_refuse_beyond(limits, dossier) for limits in right.alternatives]
    return None if None in refusals else refusals[0]


def _refuse_beyond(limits: Limits, dossier: DossierRow | DossierState) -> RowRefusal | None:
    if not any(limits.covers_agency(code) for code in (dossier.received_by, dossier.decided_by)):
        return RowRefusal(
            "agency_not_covered",
            "Your right reaches neither received_by nor decided_by: push only dossiers of your "
            "own agencies, or ask the operator for a wider right.",
        )
    if not limits.covers_procedure(dossier.procedure):
        return RowRefusal(
            "procedure_not_covered",
            "Your right does not reach this procedure: push only procedures of your right, or ask "
            "the operator for a wider right.",
        )
    return None


def find_safe_code(row: Any) -> str | None:
    """Return the code of a refused row if well-formed; another text may be a personal number."""
    code = row.get("code") if isinstance(row, dict) else None
    try:
        parse_dossier_code(code if isinstance(code, str) else "")
    except CodeError:
        return None
    return code
