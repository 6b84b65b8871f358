"""The table of operations, each with its service, time and cost; no other path exists."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, partial
from itertools import chain
from types import MappingProxyType

KIB, MIB = 1024, 1024 * 1024


class Service(StrEnum):
    IDENTITY = "identity"
    DOSSIER = "dossier"
    SYNC = "sync"
    GATEWAY = "gateway"


class QuotaClass(StrEnum):
    """Calls of one class are counted together, for each client."""

    TOKEN = "token"  # noqa: S105 -- the name of a class, no secret
    READ = "read"
    WRITE = "write"
    VERIFICATION = "verification"
    BULK = "bulk"
    ADMIN = "admin"
    # All calls of one address that prove no client, whichever client they claim to be.
    ADDRESS = "address"
    # Pages and states that anybody may look at.
    OPEN = "open"
    # Whatever is refused before a right is looked for; for each address where no client is proven.
    REFUSED = "refused"


@dataclass(frozen=True)
class Operation:
    """What a grant names and a record tells: a method on a path template.

    `timeout_s` bounds the time to the answer's beginning and each silence after it; `body_limit`
    is in bytes, 0 where no body is taken; `personal` calls name purpose, officer and subjects.
    `credentials` is set where the service itself reads the header Authorization.
    """

    method: str
    template: str
    service: Service
    quota_class: QuotaClass = QuotaClass.READ
    timeout_s: float = 10.0
    personal: bool = False
    body_limit: int = 0
    public: bool = False
    credentials: bool = False

    @cached_property
    def name(self) -> str:
        return f"{self.method} {self.template}"

    @cached_property
    def recorded(self) -> bool:
        """Its record is durable before it is answered: personal data, or an act on rights."""
        return self.personal or (self.quota_class is QuotaClass.ADMIN and self.method != "GET")

    @cached_property
    def is_administration(self) -> bool:
        return self.recorded and not self.personal

    @cached_property
    def target_template(self) -> str | None:
        """Return the template of the thing that an act of administration changes, or None."""
        end = self.template.rfind("}") + 1
        return self.template[:end] if self.is_administration and end else None

    @cached_property
    def takes_effect(self) -> bool:
        """Whether a call changes something; a verification only reads."""
        return self.method != "GET" and self.quota_class is not QuotaClass.VERIFICATION

    @property
    def idempotent(self) -> bool:
        return self.method in {"GET", "DELETE"}


@dataclass(frozen=True, slots=True)
class Match:
    operation: Operation
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NotFound:
    pass


@dataclass(frozen=True, slots=True)
class MethodNotAllowed:
    allowed: tuple[str, ...]


_get = partial(Operation, "GET")
_post = partial(Operation, "POST", quota_class=QuotaClass.WRITE, body_limit=64 * KIB)
_admin = partial(Operation, quota_class=QuotaClass.ADMIN)
_define = partial(_admin, "POST", body_limit=64 * KIB)


def _dead_letters(service: Service) -> tuple[Operation, ...]:
    root = f"/{service}/v1/dead-letters"
    return (
        _admin("GET", root, service),
        _admin("GET", f"{root}/{{letter_id}}", service),
        _admin("DELETE", f"{root}/{{letter_id}}", service),
        _define(f"{root}/{{letter_id}}/replay", service),
    )


_IDENTITY = (
    _post(
        "/oauth/token",
        Service.IDENTITY,
        quota_class=QuotaClass.TOKEN,
        public=True,
        credentials=True,
    ),
    _get("/.well-known/jwks.json", Service.IDENTITY, public=True),
    _get("/.well-known/oauth-authorization-server", Service.IDENTITY, public=True),
    _post(
        "/identity/v1/verifications",
        Service.IDENTITY,
        quota_class=QuotaClass.VERIFICATION,
        personal=True,
    ),
    _admin("GET", "/identity/v1/agencies", Service.IDENTITY),
    _define("/identity/v1/agencies", Service.IDENTITY),
    _admin("GET", "/identity/v1/agencies/{code}", Service.IDENTITY),
    _define("/identity/v1/agencies/{code}/reopening", Service.IDENTITY),
    _admin("GET", "/identity/v1/clients", Service.IDENTITY),
    _define("/identity/v1/clients", Service.IDENTITY),
    _admin("GET", "/identity/v1/clients/{client_id}", Service.IDENTITY),
    _define("/identity/v1/clients/{client_id}/keys", Service.IDENTITY),
    _admin("DELETE", "/identity/v1/clients/{client_id}/keys/{kid}", Service.IDENTITY),
    _define("/identity/v1/clients/{client_id}/deactivation", Service.IDENTITY),
    _define("/identity/v1/clients/{client_id}/reactivation", Service.IDENTITY),
    _admin("GET", "/identity/v1/grants", Service.IDENTITY),
    _define("/identity/v1/grants", Service.IDENTITY, body_limit=MIB),
    _admin("GET", "/identity/v1/grants/{grant_id}", Service.IDENTITY),
    _define("/identity/v1/grants/{grant_id}/revocation", Service.IDENTITY),
)

_DOSSIER = (
    _get("/dossier/v1/procedures", Service.DOSSIER),
    _get("/dossier/v1/procedures/{code}", Service.DOSSIER),
    _post("/dossier/v1/dossiers", Service.DOSSIER, personal=True, body_limit=MIB),
    _get("/dossier/v1/dossiers", Service.DOSSIER),
    _get("/dossier/v1/dossiers/{code}", Service.DOSSIER, personal=True),
    _get("/dossier/v1/dossiers/{code}/history", Service.DOSSIER),
    _post("/dossier/v1/dossiers/{code}/transitions", Service.DOSSIER, personal=True),
    _post("/dossier/v1/dossiers/{code}/progress", Service.DOSSIER, personal=True),
    _post("/dossier/v1/dossiers/{code}/payments", Service.DOSSIER, personal=True),
    _post("/dossier/v1/dossiers/{code}/results", Service.DOSSIER, personal=True),
)

_bulk = partial(_post, quota_class=QuotaClass.BULK, timeout_s=30.0, body_limit=8 * MIB)

_SYNC = (
    _bulk("/sync/v1/dossiers", Service.SYNC),
    _bulk("/sync/v1/progress", Service.SYNC),
    _get("/sync/v1/dossiers", Service.SYNC),
    _get("/sync/v1/dossiers/{code}", Service.SYNC),
    _get("/sync/v1/dossiers/{code}/timeline", Service.SYNC),
    _get("/sync/v1/indicators", Service.SYNC),
    _get("/sync/v1/indicators/{indicator}", Service.SYNC),
)

# The gateway's own: asked in this process, behind the same door.
_LEDGER = (
    _get("/ledger/v1/records", Service.GATEWAY, personal=True),
    _get("/ledger/v1/records/{record_id}", Service.GATEWAY, personal=True),
    _get("/ledger/v1/records/{record_id}/proof", Service.GATEWAY, personal=True),
    _get("/ledger/v1/seals", Service.GATEWAY),
)

_ALL = (*_IDENTITY, *_DOSSIER, *_SYNC, *_LEDGER, *chain.from_iterable(map(_dead_letters, Service)))

OPERATIONS: Mapping[str, Operation] = MappingProxyType({each.name: each for each in _ALL})


@dataclass(slots=True)
class _Node:
    literals: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "_Node | None" = None
    # method -> the operation and the names of its parameters, in the order of the path
    operations: dict[str, tuple[Operation, tuple[str, ...]]] = field(default_factory=dict)

    def follow(self, segment: str) -> "_Node":
        if not segment.startswith("{"):
            return self.literals.setdefault(segment, _Node())
        self.parameter = self.parameter or _Node()
        return self.parameter


def _tree() -> _Node:
    root = _Node()
    for operation in OPERATIONS.values():
        node, names = root, []
        for segment in operation.template.split("/")[1:]:
            node = node.follow(segment)
            if segment.startswith("{"):
                names.append(segment.strip("{}"))
        node.operations[operation.method] = (operation, tuple(names))
        if operation.public and operation.method == "GET":
            # The same without a body (RFC 9110 §9.3.2). To look at personal data is a GET alone.
            node.operations["HEAD"] = (operation, tuple(names))
    return root


_ROOT = _tree()
_NOT_FOUND = NotFound()
# No code of the domain needs more than these. Without `%`, `/`, `\` and a leading dot, no encoding
# and no path can be read differently here and by the service behind.
_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:-]{0,127}")


def find(method: str, path: str) -> Match | NotFound | MethodNotAllowed:
    """The operation that a request names. `path` is the raw one, as sent, without the query."""
    first, *segments = path.split("/")
    if first:
        return _NOT_FOUND
    node, values = _ROOT, []
    for segment in segments:
        literal = node.literals.get(segment)
        if literal is not None:
            node = literal
        elif node.parameter is not None and _VALUE.fullmatch(segment):
            node = node.parameter
            values.append(segment)
        else:
            return _NOT_FOUND
    if found := node.operations.get(method):
        return Match(found[0], dict(zip(found[1], values, strict=True)))
    return MethodNotAllowed(tuple(sorted(node.operations))) if node.operations else _NOT_FOUND
