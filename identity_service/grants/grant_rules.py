"""Rules for who may grant which operation, as the gateway publishes them beside its operations."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, WithJsonSchema

ANY_OPERATION = "*"


class GrantRule(BaseModel):
    """State who may grant an operation; nobody grants more than its own right to it covers.

    `granted_by`: an operator alone, or the agency that owns the data as well. `granted_on`: a
    holder that is neither may pass it on. `to_self`: the receiver may be the giver, or
    another client of its agency. `per_second` is the quota of a grant that names none. `fields`
    are those to which a grant can be limited, none where the operation heeds no such limit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    granted_by: Literal["operator", "owner"]
    granted_on: bool
    to_self: bool
    per_second: int
    fields: list[str]


_RULES: TypeAdapter[dict[str, GrantRule]] = TypeAdapter(dict[str, GrantRule])
# A row that the table no longer has, as an old grant may name it, is for operators to revoke.
_FORMER = GrantRule(granted_by="operator", granted_on=False, to_self=False, per_second=1, fields=[])


@cache
def grant_rules() -> Mapping[str, GrantRule]:
    """Return the rules by the name of the operation, `*` among them."""
    return _RULES.validate_json(
        (Path(__file__).with_name("data") / "grant_rules.json").read_bytes()
    )


def list_fields(operations: Iterable[str]) -> list[str]:
    """Return the fields to which a grant of these operations can be limited."""
    return sorted({field for name in operations for field in grant_rule(name).fields})


def grant_rule(operation: str) -> GrantRule:
    return grant_rules().get(operation, _FORMER)


OPERATION = r"^(?:\*|(?:GET|POST|PUT|PATCH|DELETE) /[A-Za-z0-9._{}/-]{1,200})$"
OperationName = Annotated[
    str,
    Field(pattern=OPERATION, description="or * for all", examples=["GET /sync/v1/dossiers/{code}"]),
]
# The use case refuses the others, by their names.
GrantedOperation = Annotated[
    OperationName, WithJsonSchema({"type": "string", "enum": sorted(grant_rules())})
]
FieldName = Annotated[str, Field(pattern=r"^[a-z_]{1,50}$", examples=["full_name"])]
