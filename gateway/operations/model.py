"""Describe one operation of the mesh: its path, service, limits and kind."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, partial

from shared.codes.deprecation import Deprecation

KIB, MIB = 1024, 1024 * 1024
# Caches may keep a public answer for this time.
PUBLIC_S = 60


class Service(StrEnum):
    IDENTITY = "identity"
    DOSSIER = "dossier"
    SYNC = "sync"
    GATEWAY = "gateway"


class QuotaClass(StrEnum):
    """A class of calls that are counted together, for each client."""

    TOKEN = "token"  # noqa: S105 -- the name of a class, no secret
    READ = "read"
    WRITE = "write"
    VERIFICATION = "verification"
    BULK = "bulk"
    ADMIN = "admin"
    # This class counts the calls of one address that prove no client.
    ADDRESS = "address"
    # This class counts requests for public pages and states.
    OPEN = "open"
    # This class counts refusals before the check of the right, by address without a client.
    REFUSED = "refused"


@dataclass(frozen=True)
class Operation:
    """A method on a path template, as grants and records name it.

    `timeout_s` bounds the time to the start of the answer and each silence after it; `body_limit`
    is in bytes, 0 for no body; `personal` calls name purpose, officer and subjects. `credentials`
    is set where the service itself reads the header Authorization, `by_host` where its answer
    depends on the Host of the request, which it gets as X-Forwarded-Host. A deprecated operation
    works as before, and its answers say since when, until when and by which operation it is
    replaced.
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
    by_host: bool = False
    deprecation: Deprecation | None = None

    @cached_property
    def name(self) -> str:
        return f"{self.method} {self.template}"

    @cached_property
    def recorded(self) -> bool:
        """Return whether its record must be durable before the answer.

        This holds for personal data and for acts on rights.
        """
        return self.personal or (self.quota_class is QuotaClass.ADMIN and self.method != "GET")

    @cached_property
    def is_administration(self) -> bool:
        return self.recorded and not self.personal

    @cached_property
    def target_template(self) -> str | None:
        """Return the template of the resource that an act of administration changes, or None."""
        end = self.template.rfind("}") + 1
        return self.template[:end] if self.is_administration and end else None

    @cached_property
    def takes_effect(self) -> bool:
        """Return whether a call changes state; a verification only reads."""
        return self.method != "GET" and self.quota_class is not QuotaClass.VERIFICATION

    @property
    def idempotent(self) -> bool:
        return self.method in {"GET", "DELETE"}


read = partial(Operation, "GET")
write = partial(Operation, "POST", quota_class=QuotaClass.WRITE, body_limit=64 * KIB)
administer = partial(Operation, quota_class=QuotaClass.ADMIN)
administer_by_post = partial(administer, "POST", body_limit=64 * KIB)
