"""List the four services for the code that starts them: names, databases, roles, ports."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    name: str
    short: str
    database: str
    role: str
    port: int
    worker_port: int

    @property
    def port_variable(self) -> str:
        return f"{self.short.upper()}_PORT"

    @property
    def worker_port_variable(self) -> str:
        return f"{self.short.upper()}_WORKER_PORT"


# The order is that of starting: whom the gateway asks comes before it.
SERVICES: Mapping[str, Service] = {
    service.name: service
    for service in (
        Service("identity_service", "identity", "identity", "identity_service", 8101, 8201),
        Service("dossier_service", "dossier", "dossier", "dossier_service", 8102, 8202),
        Service("sync_service", "sync", "sync", "sync_service", 8103, 8203),
        Service("gateway", "gateway", "gateway", "gateway", 8000, 8200),
    )
}
