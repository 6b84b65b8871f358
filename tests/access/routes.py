"""What each operation answers to whom: one row for each, and for each kind of caller a column.

An answer is its status, then the end of its problem type, or what the body shows: `ours`, `theirs`,
`both` or, for a pushed row, its outcome. The caller is a system of ours; its right covers our
agency, unless the column says otherwise. Whoever passes the door of the gateway and is then told
412 or 409 was let in: the sample repeats or is out of date, so that asking changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """`ours` is the answer to a right that covers what is asked for.

    `theirs`: it is of an agency outside the right, and the very same words for what nobody has;
    `procedure`: the right names another procedure only; `fields`: it names the field `address`
    only; `purpose`: the right covers it, and X-Purpose is another procedure; `legal_basis`:
    X-Purpose is a legal basis; `operator`: a right to all, of an operator. None: as `ours`.
    `bearer` is what a public route tells somebody who brings a token.
    """

    ours: str
    theirs: str | None = None
    procedure: str | None = None
    fields: str | None = None
    purpose: str | None = None
    legal_basis: str | None = None
    operator: str | None = None
    personal: bool = False
    public: bool = False
    bearer: str | None = None

    def column(self, name: str) -> str:
        found: str | None = getattr(self, name)
        return self.ours if found is None else found


ANOTHER_PURPOSE = "403 purpose-of-another-procedure"


def _dossier(ours: str, *, fields: str | None = None, personal: bool = True) -> Row:
    hidden = "404 dossier-not-found"
    return Row(
        ours,
        theirs=hidden,
        procedure=hidden,
        fields=fields,
        purpose=ANOTHER_PURPOSE,
        personal=personal,
    )


def _change() -> Row:
    return _dossier("412 changed-meanwhile")


def _record(ours: str, *, fields: str | None = None) -> Row:
    hidden = "404 record-not-found"
    return Row(ours, theirs=hidden, procedure=hidden, fields=fields, personal=True)


def _client(ours: str) -> Row:
    return Row(ours, theirs="404 client-not-found")


def _act_on_client(operator: str) -> Row:
    """For operators, or signed by the client itself: a right alone is not enough."""
    return Row("403 operators-only", theirs="404 client-not-found", operator=operator)


def _everywhere(answer: str) -> Row:
    return Row(answer)


def _dead_letters(service: str) -> dict[str, Row]:
    """No agency, procedure or field can be told of a message that nobody could read."""
    root = f"/{service}/v1/dead-letters"
    limited = "403 right-limited"
    return {
        f"GET {root}": Row(limited, operator="200 both"),
        f"GET {root}/{{letter_id}}": Row(limited, operator="200"),
        f"POST {root}/{{letter_id}}/replay": Row(limited, operator="409 dead-letter-settled"),
        f"DELETE {root}/{{letter_id}}": Row(limited, operator="409 dead-letter-settled"),
    }


ROUTES: Mapping[str, Row] = {
    "POST /oauth/token": Row("200", public=True, bearer="400 token-request-malformed"),
    "GET /.well-known/jwks.json": Row("200", public=True),
    "GET /.well-known/oauth-authorization-server": Row("200", public=True),
    # People belong to no agency; what is asked about is limited by procedure and field.
    "POST /identity/v1/verifications": Row("200", fields="403 fields-not-allowed", personal=True),
    "GET /identity/v1/agencies": Row("200 ours", theirs="200 theirs", operator="200 both"),
    "POST /identity/v1/agencies": Row("403 operators-only", operator="409 agency-exists"),
    "GET /identity/v1/agencies/{code}": Row("200", theirs="404 agency-not-found"),
    "POST /identity/v1/agencies/{code}/reopening": Row(
        "403 operators-only", theirs="404 agency-not-found", operator="412 changed-meanwhile"
    ),
    "GET /identity/v1/clients": Row("200 ours", theirs="200 theirs", operator="200 both"),
    "POST /identity/v1/clients": Row("409 client-exists", theirs="422 agency-unknown"),
    "GET /identity/v1/clients/{client_id}": _client("200"),
    "POST /identity/v1/clients/{client_id}/keys": _act_on_client("409 key-exists"),
    "DELETE /identity/v1/clients/{client_id}/keys/{kid}": _act_on_client("404 key-not-found"),
    "POST /identity/v1/clients/{client_id}/deactivation": _act_on_client("412 changed-meanwhile"),
    "POST /identity/v1/clients/{client_id}/reactivation": _act_on_client("412 changed-meanwhile"),
    "GET /identity/v1/grants": Row("200 ours", theirs="200 theirs", operator="200 both"),
    "POST /identity/v1/grants": Row("403 not-the-owner", operator="201"),
    "GET /identity/v1/grants/{grant_id}": Row("200", theirs="404 grant-not-found"),
    "POST /identity/v1/grants/{grant_id}/revocation": Row(
        "403 not-the-owner", theirs="404 grant-not-found", operator="412 changed-meanwhile"
    ),
    "GET /dossier/v1/procedures": _everywhere("200"),
    "GET /dossier/v1/procedures/{code}": _everywhere("200"),
    "POST /dossier/v1/dossiers": Row(
        "201",
        theirs="403 not-allowed",
        procedure="403 not-allowed",
        purpose=ANOTHER_PURPOSE,
        legal_basis=ANOTHER_PURPOSE,
        personal=True,
    ),
    "GET /dossier/v1/dossiers": Row(
        "200 ours", theirs="200 theirs", procedure="200 neither", operator="200 both"
    ),
    "GET /dossier/v1/dossiers/{code}": _dossier("200 named", fields="200"),
    "GET /dossier/v1/dossiers/{code}/history": _dossier("200", personal=False),
    "POST /dossier/v1/dossiers/{code}/transitions": _change(),
    "POST /dossier/v1/dossiers/{code}/progress": _change(),
    "POST /dossier/v1/dossiers/{code}/payments": _change(),
    "POST /dossier/v1/dossiers/{code}/results": _change(),
    "POST /sync/v1/dossiers": Row(
        "200 accepted", theirs="200 agency_not_covered", procedure="200 procedure_not_covered"
    ),
    # Who told of the dossier tells on; to a right to another procedure it is unknown, so held.
    "POST /sync/v1/progress": Row(
        "200 other_source",
        theirs="200 agency_not_covered",
        procedure="200 held",
        operator="200 updated",
    ),
    "GET /sync/v1/dossiers": Row(
        "200 ours", theirs="200 theirs", procedure="200 neither", operator="200 both"
    ),
    "GET /sync/v1/dossiers/{code}": Row(
        "200", theirs="404 dossier-not-found", procedure="404 dossier-not-found"
    ),
    "GET /sync/v1/dossiers/{code}/timeline": Row(
        "200", theirs="404 dossier-not-found", procedure="404 dossier-not-found"
    ),
    "GET /sync/v1/indicators": _everywhere("200"),
    "GET /sync/v1/indicators/{indicator}": Row(
        "200", theirs="404 agency-not-found", procedure="404 procedure-not-found"
    ),
    "GET /ledger/v1/records": Row(
        "200 ours",
        theirs="200 theirs",
        procedure="200 neither",
        operator="200 both",
        personal=True,
    ),
    "GET /ledger/v1/records/{record_id}": _record("200"),
    "GET /ledger/v1/records/{record_id}/proof": _record("200", fields="403 fields-not-allowed"),
    # Seals are what everybody checks the records by; they tell of no one.
    "GET /ledger/v1/seals": _everywhere("200"),
    **_dead_letters("identity"),
    **_dead_letters("dossier"),
    **_dead_letters("sync"),
    **_dead_letters("gateway"),
}

# No operations, and open to whoever reaches the process: what they tell is no secret.
METRICS = "GET /metrics"  # at the gateway, to who stands beside it only
EVENT_KEYS = "GET /.well-known/event-keys.json"  # each service has its own
OPEN_AT_THE_GATEWAY = frozenset(
    {
        "GET /",
        "GET /docs",
        "GET /docs/files/{name}",
        "GET /openapi.json",
        "GET /problems",
        "GET /sandbox",
        "GET /problems/{name}",
        "GET /gateway/v1/openapi.json",
        "GET /.well-known/right-keys.json",
        "GET /.well-known/ledger-keys.json",
        "GET /.well-known/legal-bases.json",
        EVENT_KEYS,
        "GET /healthz",
        "GET /readyz",
        METRICS,
    }
)


def open_at_a_service(service: str) -> frozenset[str]:
    """Behind the gateway, which passes none of them on."""
    paths = ("/healthz", "/readyz", "/metrics", f"/{service}/v1/openapi.json")
    return frozenset(f"GET {path}" for path in paths) | {EVENT_KEYS}


def for_the_gateway_alone(service: str) -> frozenset[str]:
    """Behind the gateway, which asks for itself and passes none of them on."""
    if service != "identity":
        return frozenset()
    return frozenset({"GET /internal/rights/clients", "GET /internal/rights/grants"})
