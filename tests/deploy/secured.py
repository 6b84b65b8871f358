"""Apache Kafka with the rights that docker-compose.yml gives, for the tests of who gets in."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from deploy.kafka.server import KafkaServer
from deploy.process import running
from deploy.secrets import make_secrets, make_store_secrets
from deploy.services import SERVICES
from deploy.topics import secure_topics
from shared.messaging.kafka import connection_options
from shared.settings import ServiceSettings
from tests.deploy.test_compose import PARTS
from tests.support.event_keys import key_text
from tests.support.factories import DIGEST_KEY
from tests.support.waiting import PATIENCE_S

# Of the image, or of a machine with other folders and ports.
NOT_HERE = {
    "CLUSTER_ID",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_HEAP_OPTS",
    "KAFKA_LOG4J_OPTS",
    "KAFKA_LOG_DIRS",
    "KAFKA_NODE_ID",
    "KAFKA_OPTS",
    "LOG_DIR",
}
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


def compose_settings() -> Mapping[str, str]:
    """Return the broker's environment in compose, as the image makes settings of it."""
    given = PARTS["kafka"]["environment"]
    return {
        name.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for name, value in given.items()
        if name not in NOT_HERE
    }


@dataclass
class Secured:
    """Hold a broker with the rights of all services, and the folder with their passwords."""

    server: KafkaServer
    secrets: Path
    protocol: str
    ca_file: str = ""

    def password(self, principal: str) -> str:
        return (self.secrets / principal / "kafka_password").read_text()

    def settings(self, service: str, mechanism: str = "PLAIN", **over: Any) -> ServiceSettings:
        made: dict[str, Any] = {
            "name": service,
            "database_url": "postgresql+asyncpg://nowhere",
            "digest_key": DIGEST_KEY,
            "event_key": SecretStr(key_text("gateway")),
            "kafka_servers": self.server.servers,
            "kafka_security_protocol": self.protocol,
            "kafka_ca_file": self.ca_file,
            "kafka_sasl_mechanism": mechanism,
            "kafka_user": service,
            "kafka_password": SecretStr(self.password(service)),
            "kafka_creates_topics": False,
        }
        return ServiceSettings(**made | over)


def require_apache_kafka() -> None:
    if os.environ.get("TEST_KAFKA") != "apache":
        pytest.skip("the embedded broker knows no principals and no TLS: TEST_KAFKA=apache")


@contextmanager
def running_secured(
    folders: pytest.TempPathFactory,
    protocol: str = "SASL_PLAINTEXT",
    tls: Mapping[str, str] | None = None,
    ca_file: str = "",
) -> Iterator[Secured]:
    """Run a broker whose one listener for services has that protocol, with topics and rights.

    `tls` are the settings of the broker for it, `ca_file` the issuers that its clients trust.
    """
    require_apache_kafka()
    folder, secrets = folders.mktemp("kafka"), folders.mktemp("secrets")
    make_secrets(secrets)
    make_store_secrets(secrets)
    passwords = {name: (secrets / name / "kafka_password").read_text() for name in SERVICES}
    own = {
        "listener.security.protocol.map": f"{protocol}:{protocol},CONTROLLER:SASL_PLAINTEXT",
        "inter.broker.listener.name": protocol,
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        f"listener.name.{protocol.lower()}.scram-sha-512.sasl.jaas.config": SCRAM,
    }
    server = KafkaServer(
        folder,
        protocol=protocol,
        settings={**compose_settings(), **own, **(tls or {})},
        java_options=[f"-Djava.security.auth.login.config={secrets / 'kafka' / 'jaas.conf'}"],
        credentials=[
            f"SCRAM-SHA-512=[name={name},password={secret}]" for name, secret in passwords.items()
        ],
    )
    with running(server):
        found = Secured(server, secrets, protocol, ca_file)
        password = SecretStr(found.password("topics"))
        admin = found.settings("gateway", kafka_user="admin", kafka_password=password)
        secure_topics(connection_options(admin), PATIENCE_S)
        yield found
