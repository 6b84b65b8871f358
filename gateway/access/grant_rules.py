"""State which party may grant each operation: administration is not data.

There is one row for each operation that needs a right. `python -m deploy.schemas` publishes the
rows to identity_service as data, which checks each new grant against them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from gateway.ledger.records import AccessRecord
from gateway.operations.quotas import DEFAULT_QUOTAS
from gateway.operations.table import OPERATIONS

ANY_OPERATION = "*"


class Granter(StrEnum):
    OPERATOR = "operator"
    OWNER = "owner"


@dataclass(frozen=True)
class OperationGrantRule:
    """State which party may grant an operation; its own right to it bounds the grant.

    `granted_by`: an operator alone, or the agency that owns the data as well. `granted_on`: a
    holder that is neither may pass it on. `to_self`: the receiver may be the giver, or another
    client of its agency.
    """

    granted_by: Granter
    granted_on: bool = False
    to_self: bool = False


_ADMINISTRATION = OperationGrantRule(Granter.OPERATOR)
_PERSONAL = OperationGrantRule(Granter.OWNER)
_NATIONAL = OperationGrantRule(Granter.OWNER, to_self=True)
_OPEN = OperationGrantRule(Granter.OWNER, granted_on=True, to_self=True)

_DOSSIER = "/dossier/v1/dossiers"
_CLIENT = "/identity/v1/clients/{client_id}"

_BY_RULE: Mapping[OperationGrantRule, tuple[str, ...]] = MappingProxyType(
    {
        _ADMINISTRATION: (
            ANY_OPERATION,
            "GET /identity/v1/agencies",
            "POST /identity/v1/agencies",
            "GET /identity/v1/agencies/{code}",
            "POST /identity/v1/agencies/{code}/reopening",
            "GET /identity/v1/clients",
            "POST /identity/v1/clients",
            f"GET {_CLIENT}",
            f"POST {_CLIENT}/keys",
            f"DELETE {_CLIENT}/keys/{{kid}}",
            f"POST {_CLIENT}/deactivation",
            f"POST {_CLIENT}/reactivation",
            "GET /identity/v1/grants",
            "POST /identity/v1/grants",
            "GET /identity/v1/grants/{grant_id}",
            "POST /identity/v1/grants/{grant_id}/revocation",
            *(
                f"{method} /{service}/v1/dead-letters{rest}"
                for service in ("identity", "dossier", "sync", "gateway")
                for method, rest in (
                    ("GET", ""),
                    ("GET", "/{letter_id}"),
                    ("DELETE", "/{letter_id}"),
                    ("POST", "/{letter_id}/replay"),
                )
            ),
        ),
        _PERSONAL: (
            "POST /identity/v1/verifications",
            f"POST {_DOSSIER}",
            f"GET {_DOSSIER}",
            f"GET {_DOSSIER}/{{code}}",
            f"GET {_DOSSIER}/{{code}}/history",
            f"POST {_DOSSIER}/{{code}}/transitions",
            f"POST {_DOSSIER}/{{code}}/progress",
            f"POST {_DOSSIER}/{{code}}/payments",
            f"POST {_DOSSIER}/{{code}}/results",
            "POST /sync/v1/dossiers",
            "POST /sync/v1/progress",
            "GET /ledger/v1/records",
            "GET /ledger/v1/records/{record_id}",
            "GET /ledger/v1/records/{record_id}/proof",
        ),
        _NATIONAL: (
            "GET /sync/v1/dossiers",
            "GET /sync/v1/dossiers/{code}",
            "GET /sync/v1/dossiers/{code}/timeline",
        ),
        _OPEN: (
            "GET /dossier/v1/procedures",
            "GET /dossier/v1/procedures/{code}",
            "GET /sync/v1/indicators",
            "GET /sync/v1/indicators/{indicator}",
            "GET /ledger/v1/seals",
        ),
    }
)

_RECORD = tuple(sorted({*AccessRecord._fields, "agency_name"} - {"id", "at"}))
# A right can limit these fields, by operation; other operations ignore such a limit.
FIELDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "POST /identity/v1/verifications": (
            "full_name",
            "birth_date",
            "sex",
            "residence_province",
            "residence_commune",
        ),
        f"GET {_DOSSIER}/{{code}}": (
            "kind",
            "name",
            "personal_number",
            "organisation_number",
            "birth_date",
            "phone",
            "email",
            "address",
            "summary",
            "note",
            "documents",
            "results",
        ),
        "GET /ledger/v1/records": _RECORD,
        "GET /ledger/v1/records/{record_id}": _RECORD,
        "GET /ledger/v1/records/{record_id}/proof": _RECORD,
    }
)

GRANT_RULES: Mapping[str, OperationGrantRule] = MappingProxyType(
    {name: rule for rule, names in _BY_RULE.items() for name in names}
)


_ALL_FIELDS = frozenset(field for fields in FIELDS.values() for field in fields)


def require_complete_grant_rules(rules: Mapping[str, OperationGrantRule] = GRANT_RULES) -> None:
    """Raise ValueError unless each operation that needs a right has a row, and no other name."""
    guarded = {operation.name for operation in OPERATIONS.values() if not operation.public} | {
        ANY_OPERATION
    }
    if differing := guarded ^ rules.keys():
        raise ValueError(
            f"gateway/access/grant_rules.py and the operations differ: {sorted(differing)}"
        )


def is_administration_operation(name: str) -> bool:
    """Return whether operators alone grant the operation."""
    return GRANT_RULES[name].granted_by is Granter.OPERATOR


def _default_quota_per_second(name: str) -> int:
    """Return the quota of a grant without one; `*` gets the smallest quota of all operations."""
    quotas = [
        DEFAULT_QUOTAS[operation.quota_class]
        for operation in OPERATIONS.values()
        if not operation.public and name in (operation.name, ANY_OPERATION)
    ]
    return min(quota.amount // quota.window_s for quota in quotas)


def serialise_grant_rules() -> dict[str, dict[str, object]]:
    """Return the rows in the form that identity_service reads."""
    require_complete_grant_rules()
    return {
        name: {
            "granted_by": rule.granted_by.value,
            "granted_on": rule.granted_on,
            "to_self": rule.to_self,
            "per_second": _default_quota_per_second(name),
            "fields": sorted(_ALL_FIELDS if name == ANY_OPERATION else FIELDS.get(name, ())),
        }
        for name, rule in sorted(GRANT_RULES.items())
    }
