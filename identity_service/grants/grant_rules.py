"""Read the rules that decide which callers may grant an operation; the gateway publishes them."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, WithJsonSchema

from shared.codes.enum_names import name_values

ANY_OPERATION = "*"


class GrantRule(BaseModel):
    """State which callers may grant an operation, always within their own right to it.

    `granted_by` allows operators alone, or the agency that owns the data as well. `granted_on`
    allows other holders to pass the operation on. `to_self` allows a grant to the giver or to
    another client of its agency. `per_second` is the quota of a grant that names none. `fields`
    are those to which a grant can be limited, empty where the operation has no such limit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    granted_by: Literal["operator", "owner"]
    granted_on: bool
    to_self: bool
    per_second: int
    fields: list[str]


_RULES: TypeAdapter[dict[str, GrantRule]] = TypeAdapter(dict[str, GrantRule])
# An old grant may name an operation that the table no longer has; only operators may revoke it.
_FORMER = GrantRule(granted_by="operator", granted_on=False, to_self=False, per_second=1, fields=[])


@cache
def read_grant_rules() -> Mapping[str, GrantRule]:
    """Return the rules by the name of the operation, `*` among them."""
    return _RULES.validate_json(
        (Path(__file__).with_name("data") / "grant_rules.json").read_bytes()
    )


def list_fields(operations: Iterable[str]) -> list[str]:
    """Return the fields to which a grant of these operations can be limited."""
    return sorted({field for name in operations for field in find_grant_rule(name).fields})


def find_grant_rule(operation: str) -> GrantRule:
    return read_grant_rules().get(operation, _FORMER)


OPERATION = r"^(?:\*|(?:GET|POST|PUT|PATCH|DELETE) /[A-Za-z0-9._{}/-]{1,200})$"
OperationName = Annotated[
    str,
    Field(
        pattern=OPERATION,
        description="method and path of an operation, or * for all",
        examples=["GET /sync/v1/dossiers/{code}"],
    ),
]


def _write_constant_name(operation: str) -> str:
    """Return GET_SYNC_V1_DOSSIERS for `GET /sync/v1/dossiers`, and ANY for `*`."""
    return re.sub("[^A-Z0-9]+", "_", operation.upper()).strip("_") or "ANY"


_OPERATIONS = sorted(read_grant_rules())
# The use case refuses unknown operations and names them.
GrantedOperation = Annotated[
    OperationName,
    WithJsonSchema(
        {
            "type": "string",
            "enum": _OPERATIONS,
            **name_values(map(_write_constant_name, _OPERATIONS)),
        }
    ),
]
FieldName = Annotated[str, Field(pattern=r"^[a-z_]{1,50}$", examples=["full_name"])]
