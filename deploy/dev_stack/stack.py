"""The parts of the local stack: folders, ports, and the environment of each process."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dotenv import load_dotenv

from deploy.broker import EmbeddedBroker
from deploy.ports import free_port
from deploy.postgres import EmbeddedPostgres, service_url
from deploy.services import SERVICES, Service

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
# The variable PORT_BASE moves all ports by as much as it moves that of the gateway.
DEFAULT_PORTS: Mapping[str, int] = {
    **{service.port_variable: service.port for service in SERVICES.values()},
    **{service.worker_port_variable: service.worker_port for service in SERVICES.values()},
    "BROKER_PORT": 9092,
}
PORT_BASE = SERVICES["gateway"].port
HIGHEST_PORT = 65_535
# Of services whose news, rights and agencies, may take a second: to ask the embedded broker in
# vain forty times a second, as the national view does, is most of the cost of an idle mesh.
CALM_MS = 150
# published procedures, where somebody has put them beside the project
CATALOGUE = ROOT.parent / "shared" / "data" / "procedures.jsonl.gz"


@dataclass(frozen=True)
class Stack:
    """`ports` by the variable that sets each; a URL or servers given are used, not embedded."""

    directory: Path
    ports: Mapping[str, int]
    database_url: str | None = None
    kafka_servers: str | None = None
    service_command: Sequence[str] = (sys.executable, "-m")

    @property
    def postgres(self) -> EmbeddedPostgres:
        return EmbeddedPostgres(self.directory / "postgres", log=self.log("postgres"))

    @property
    def broker(self) -> EmbeddedBroker:
        return EmbeddedBroker(self.ports["BROKER_PORT"], log=self.log("broker"))

    @property
    def admin_url(self) -> str:
        return self.database_url or self.postgres.url

    @property
    def servers(self) -> str:
        return self.kafka_servers or self.broker.servers

    @property
    def secrets(self) -> Path:
        return self.directory / "secrets"

    @property
    def sandbox_file(self) -> Path:
        return self.directory / "sandbox.json"

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def port(self, service: Service) -> int:
        return self.ports[service.port_variable]

    def worker_port(self, service: Service) -> int:
        return self.ports[service.worker_port_variable]

    def url(self, service: Service) -> str:
        return f"http://{HOST}:{self.port(service)}"

    def environment(self) -> dict[str, str]:
        """Return the environment of a program outside the stack, such as the demonstration."""
        urls = {f"{s.short.upper()}_URL": self.url(s) for s in SERVICES.values()}
        return {**os.environ, **urls, "SANDBOX_FILE": str(self.sandbox_file)}

    def service_environment(self, service: Service) -> dict[str, str]:
        return {
            "LOG_FORMAT": "console",
            "SANDBOX": "true",
            **self.environment(),
            "CATALOGUE_FILE": os.environ.get("CATALOGUE_FILE") or _catalogue(),
            "DATABASE_URL": service_url(self.admin_url, service),
            "KAFKA_SERVERS": self.servers,
            # Its metadata names the address that answers here.
            "ISSUER": os.environ.get("ISSUER") or self.url(SERVICES["gateway"]),
            "HOST": HOST,
            "PORT": str(self.port(service)),
            "WORKER_PORT": str(self.worker_port(service)),
            "SECRETS_DIR": str(self.secrets / service.name),
            **({} if self.kafka_servers else self._embedded_broker_settings(service)),
        }

    def _embedded_broker_settings(self, service: Service) -> dict[str, str]:
        is_watched = service.name == "sync_service"
        return {
            "KAFKA_IDEMPOTENT": str(EmbeddedBroker.idempotent).lower(),
            "KAFKA_FETCH_WAIT_MS": str(EmbeddedBroker.fetch_wait_ms if is_watched else CALM_MS),
            "KAFKA_GROUP": "false",
            "REPLAY_AT_START": str(not EmbeddedBroker.keeps_data).lower(),
        }


def _catalogue() -> str:
    return str(CATALOGUE) if CATALOGUE.exists() else ""


def place_ports(base: int) -> dict[str, int]:
    """Return the ports of a stack whose gateway has the port `base`."""
    return {name: port + base - PORT_BASE for name, port in DEFAULT_PORTS.items()}


HIGHEST_BASE = HIGHEST_PORT - max(place_ports(0).values())


def _read_port(name: str, given: str | int, highest: int = HIGHEST_PORT) -> int:
    if not re.fullmatch("[0-9]{1,5}", str(given)) or not 0 < int(given) <= highest:
        raise ValueError(f"{name} is not a port: give it a number from 1 to {highest}.")
    return int(given)


def read_stack(environment: Mapping[str, str]) -> Stack:
    """Raises ValueError for a port that is none."""
    base = _read_port("PORT_BASE", environment.get("PORT_BASE") or PORT_BASE, HIGHEST_BASE)
    ports = place_ports(base)
    return Stack(
        directory=Path(environment.get("RUN_DIR") or ROOT / ".run").resolve(),
        ports={
            name: _read_port(name, environment.get(name) or port) for name, port in ports.items()
        },
        database_url=environment.get("DATABASE_URL") or None,
        kafka_servers=environment.get("KAFKA_SERVERS") or None,
    )


def load_env_file(path: Path) -> None:
    """Add the variables of the file that the environment lacks; raise ValueError."""
    try:
        load_dotenv(path)
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text in UTF-8: save it as such.") from None


def own_ports() -> dict[str, str]:
    """The variables of a stack that meets no other: ports that nobody else has, and no `.env`."""
    return {name: str(free_port()) for name in DEFAULT_PORTS} | {"ENV_FILE": os.devnull}
