"""Makes the topics of shared.messaging.topics: `python -m deploy.topics SERVERS [--user NAME]`.

With a user, whose password is the file `kafka_password` in SECRETS_DIR, it also gives each service
the rights of deploy.acls. KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_MECHANISM and KAFKA_CA_FILE are those
of a service.
"""

import argparse
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import stamina
import yaml
from aiokafka.admin import AIOKafkaAdminClient

from deploy.acls import allow, list_permissions
from deploy.run_sync import run_apart
from shared.messaging.kafka import REQUEST_TIMEOUT_MS, connection_options, is_broker_outage
from shared.messaging.topics import TOPIC_TABLE, make_topics
from shared.settings import BrokerSettings

FILE = Path(__file__).with_name("topics.yaml")
EXPLAINED = """\
# The topics of the axis, written from shared/messaging/topics.py by `make schemas`.
# `retention_days: null` keeps for ever.
"""


def topics_text() -> str:
    """Return the table as YAML, for installations that create the topics by other means."""
    table = {name: asdict(topic) for name, topic in TOPIC_TABLE.items()}
    return EXPLAINED + yaml.safe_dump({"topics": table}, sort_keys=False)


def create_topics(servers: str, seconds: float = 30.0) -> None:
    """Waits up to `seconds` for the brokers to answer; topics that exist stay as they are."""
    options = connection_options(BrokerSettings(kafka_servers=servers))
    run_apart(_patient(seconds)(make_topics)(options))


def secure_topics(options: Mapping[str, Any], seconds: float = 30.0) -> None:
    """Create the topics and give each service its rights, as an administrator.

    `options` are those of a client of aiokafka.
    """
    run_apart(_patient(seconds)(_secure_topics)(options))


def _patient(seconds: float) -> Any:
    return stamina.retry(
        on=is_broker_outage, attempts=None, timeout=seconds, wait_initial=0.05, wait_max=0.5
    )


async def _secure_topics(options: Mapping[str, Any]) -> None:
    await make_topics(options)
    admin = AIOKafkaAdminClient(**options, request_timeout_ms=REQUEST_TIMEOUT_MS)
    await admin.start()
    try:
        for permission in list_permissions():
            await allow(admin, permission)
    finally:
        await admin.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.topics", description=__doc__)
    parser.add_argument("servers")
    parser.add_argument("--user", help="an administrator, where the brokers ask who connects")
    told = parser.parse_args()
    if not told.user:
        create_topics(told.servers)
        return
    settings = BrokerSettings(
        kafka_servers=told.servers, kafka_user=told.user, _secrets_dir=os.environ["SECRETS_DIR"]
    )
    if not settings.kafka_security_protocol.startswith("SASL"):
        parser.error("a user signs on by SASL: set KAFKA_SECURITY_PROTOCOL=SASL_SSL")
    secure_topics(connection_options(settings))


if __name__ == "__main__":
    main()
