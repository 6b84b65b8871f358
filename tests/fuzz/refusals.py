"""Refusals of requests that fit the document, with the reason why no JSON Schema can say each.

Whatever is refused and not named here, by operation and problem, is a fault of the document or of
the service. The statuses that Schemathesis expects of itself (401, 403, 404, 409, 429) and 412 tell
of what is stored, not of how a request is written.
"""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson
import schemathesis
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.openapi.checks import RejectedPositiveData, UseAfterFree

from gateway.operations.table import OPERATIONS

PROBLEMS: Final = "/problems/"
PUSHES: Final = frozenset({"POST /sync/v1/dossiers", "POST /sync/v1/progress"})
AGENCIES, CLIENTS, GRANTS = (f"/identity/v1/{name}" for name in ("agencies", "clients", "grants"))
CLIENT, DOSSIERS = f"{CLIENTS}/{{client_id}}", "/dossier/v1/dossiers"
DOSSIER = f"{DOSSIERS}/{{code}}"

# The catalogue, the registry, the rules, the clock, or what a dossier has become decides.
STORED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        f"POST {AGENCIES}": frozenset({"agency-unknown", "agency-closed"}),
        f"POST {CLIENTS}": frozenset({"agency-unknown", "agency-closed"}),
        f"POST {GRANTS}": frozenset(
            {"agency-unknown", "agency-closed", "client-unknown", "field-unknown", "right-too-long"}
        ),
        f"POST {DOSSIERS}": frozenset(
            {
                "procedure-unknown", "channel-not-offered", "agency-unknown", "agency-closed",
                "fee-unknown", "term-case-unknown", "time-unlikely",
            }
        ),
        f"POST {DOSSIER}/transitions": frozenset({"reason-missing"}),
        f"POST {DOSSIER}/payments": frozenset({"fee-unknown", "amount-wrong"}),
        f"POST {DOSSIER}/results": frozenset({"result-code-unknown"}),
        "GET /sync/v1/indicators/{indicator}": frozenset({"no-rule-in-force"}),
    }
)  # fmt: skip
# A rule between two values: times in their order, a client named in a header and in a form.
RELATED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        f"POST {GRANTS}": {"grant-ended": "valid_to after valid_from"},
        "GET /sync/v1/indicators/{indicator}": {"period-unreadable": "ends before it begins"},
        "POST /oauth/token": {"token-request-malformed": "Name one client"},
    }
)
# The words of a fault by the place where it stands: a number of a person in a code or a text, which
# no pattern tells from other digits; a day after today; a point that is on no curve.
NUMBER: Final = "may be a person's number"
FUTURE: Final = "lies in the past, or is today's"
NO_KEY: Final = "the members do not make a key"
FAULTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "POST /identity/v1/verifications": {"body.birth_date": FUTURE},
        f"POST {AGENCIES}": {"body.name": NUMBER},
        f"POST {CLIENTS}": {"body.client_id": NUMBER, "body.name": NUMBER},
        f"GET {GRANTS}": {"query.client_id": NUMBER},
        f"POST {GRANTS}": {"body.client_id": NUMBER, "body.legal_basis": NUMBER},
        f"POST {CLIENT}/keys": {"body": f"{NO_KEY}|{NUMBER}", "path.client_id": NUMBER},
        f"POST {DOSSIERS}": {
            "body.applicant.birth_date": FUTURE,
            "body.documents.*.paper": NUMBER,
            "body.external_code": NUMBER,
        },
        f"POST {DOSSIER}/progress": {"body.step": NUMBER},
        **{
            f"{method} {CLIENT}{part}": {"path.client_id": NUMBER}
            for method, part in (
                ("GET", ""),
                ("DELETE", "/keys/{kid}"),
                ("POST", "/deactivation"),
                ("POST", "/reactivation"),
            )
        },
    }
)
# Wherever a code of an agency stands, also within one of a procedure or a dossier.
IN_GROUPS: Final = "Neighbouring groups of an agency code have twelve digits together"
# A header is the same wherever it may be sent, so its refusal is named once.
HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "idempotency-key-unreadable": f"The key holds nine or twelve digits, which {NUMBER}",
        "request-malformed": f"X-(Purpose|Officer) holds nine or twelve digits, which {NUMBER}",
        # A repeat with another body: the same key was drawn twice.
        "idempotency-key-reused": "Use a new key for a new request",
    }
)
# Each list gives its own cursors.
LISTS: Final = frozenset(
    name for name, each in OPERATIONS.items() if each.method == "GET" and not each.public
)


def is_unsayable(operation: str, problem: Mapping[str, Any]) -> bool:
    """Return whether the operation may refuse a request so that fits its document."""
    kind, detail = problem["type"].removeprefix(PROBLEMS), problem.get("detail", "")
    if kind == "invalid-request":
        return all(_is_known(operation, fault) for fault in (problem.get("errors") or [{}]))
    if kind == "cursor-unreadable":
        return operation in LISTS
    words = RELATED.get(operation, {}).get(kind) or HEADERS.get(kind)
    return kind in STORED.get(operation, ()) or bool(words and re.search(words, detail))


def _is_known(operation: str, fault: Mapping[str, str]) -> bool:
    if IN_GROUPS in fault.get("is", ""):
        return True
    place = re.sub(r"\.[0-9]+\b", ".*", fault.get("at", ""))
    words = FAULTS.get(operation, {}).get(place)
    return words is not None and re.search(words, fault["is"]) is not None


def refused_rows(answer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the results of the rows of a push that were refused: the push itself is taken."""
    return (row for row in answer["results"] if row["outcome"] == "refused")


def filter_failure(
    _: schemathesis.HookContext, failure: Failure, case: Any, response: schemathesis.Response
) -> bool:
    """Keep the failures that say something wrong of the service or its document."""
    operation = case.operation.label
    if "json" not in response.headers.get("content-type", [""])[0]:
        return True
    match failure:
        case RejectedPositiveData():
            return not is_unsayable(operation, orjson.loads(response.content))
        case AcceptedNegativeData() if operation in PUSHES:
            # A bad row is told in its own result.
            return not any(refused_rows(orjson.loads(response.content)))
        case AcceptedNegativeData() if operation == "POST /oauth/token":
            # Of a form a member without a value counts as left out (RFC 6749 §3.2).
            return "" not in case.body.values()
        case UseAfterFree():
            # A discarded letter stays, and tells that it was discarded.
            return "/dead-letters/" not in operation
    return True


@schemathesis.check
def rows_understood(
    _: schemathesis.CheckContext, response: schemathesis.Response, case: Any
) -> None:
    """No row that fits the document is refused for its shape."""
    positive = case.meta and case.meta.generation.mode.is_positive
    if not positive or case.operation.label not in PUSHES or response.status_code != 200:
        return
    for row in refused_rows(orjson.loads(response.content)):
        if row["reason"] in SHAPE_OF_ROW and NUMBER not in row["detail"]:
            raise Failure(
                operation=case.operation.label,
                title="A row that fits was refused for its shape",
                message=row["detail"],
            )


SHAPE_OF_ROW: Final = frozenset({"invalid_row", "received_at_missing", "finished_but_open"})
