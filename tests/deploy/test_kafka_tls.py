"""Services speak to Apache Kafka over TLS, and only to a broker that proves its name."""

import asyncio
import gc
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from deploy.dev_stack.stack import ROOT
from deploy.kafka.server import KafkaServer
from deploy.process import running
from deploy.run_sync import run_apart
from shared.messaging.kafka import connection_options, open_consumer, open_producer
from shared.messaging.topics import make_topics
from shared.settings import ServiceSettings
from tests.deploy.secured import Secured, require_apache_kafka, running_secured
from tests.support.certificates import Issuer
from tests.support.event_keys import key_text
from tests.support.factories import DIGEST_KEY
from tests.support.waiting import PATIENCE_S

HERE = "127.0.0.1"
TOPIC = "dossier.events.v1"


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer(tmp_path_factory.mktemp("issuers") / "trusted")


def tls_settings(issuer: Issuer) -> dict[str, str]:
    """Return the settings of a broker that shows a certificate for its address."""
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(issuer.write_chain(HERE)),
        # The broker is a client of itself.
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(issuer.certificate),
    }


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[Secured]:
    """A broker that takes clients by TLS and SASL alone."""
    trusted = str(issuer.certificate)
    with running_secured(tmp_path_factory, "SASL_SSL", tls_settings(issuer), trusted) as found:
        yield found


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[KafkaServer]:
    """A broker that takes anybody, by TLS alone."""
    require_apache_kafka()
    protocols = {
        "listener.security.protocol.map": "SSL:SSL,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "SSL",
    }
    server = KafkaServer(
        tmp_path_factory.mktemp("kafka"),
        protocol="SSL",
        settings=tls_settings(issuer) | protocols,
    )
    with running(server):
        yield server


def settings_of(server: KafkaServer, ca_file: str) -> ServiceSettings:
    return ServiceSettings(
        name="dossier_service",
        database_url="postgresql+asyncpg://nowhere",
        digest_key=DIGEST_KEY,
        event_key=key_text("gateway"),
        kafka_servers=server.servers,
        kafka_security_protocol="SSL",
        kafka_ca_file=ca_file,
    )


async def require_delivery(sender: ServiceSettings, reader: ServiceSettings, key: bytes) -> None:
    async with open_producer(sender) as producer:
        await producer.send_and_wait(TOPIC, b"{}", key=key)
    async with (
        asyncio.timeout(PATIENCE_S),
        open_consumer(reader, [TOPIC], "sync_service") as consumer,
    ):
        keys = set[bytes]()
        while key not in keys:
            for records in (await consumer.getmany(timeout_ms=250)).values():
                keys |= {record.key for record in records}


@pytest.mark.broker
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
async def test_event_goes_from_one_service_to_another_over_tls(
    secured: Secured, mechanism: str
) -> None:
    await require_delivery(
        secured.settings("dossier_service", mechanism),
        secured.settings("sync_service", mechanism),
        mechanism.encode(),
    )


@pytest.mark.broker
async def test_event_goes_over_tls_where_no_client_signs_on(
    encrypted: KafkaServer, issuer: Issuer
) -> None:
    settings = settings_of(encrypted, str(issuer.certificate))
    await asyncio.to_thread(run_apart, make_topics(connection_options(settings)))
    await require_delivery(settings, settings, b"tls")


@pytest.mark.broker
async def test_issuers_that_the_machine_trusts_are_those_where_no_file_is_named(
    secured: Secured, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(issuer.certificate))
    settings = secured.settings("dossier_service", kafka_ca_file="")
    async with asyncio.timeout(PATIENCE_S), open_producer(settings) as producer:
        await producer.send_and_wait(TOPIC, b"{}", key=b"machine")


# The reason as the library logs it: a service goes on trying, as in an outage.
REFUSED = {
    "another issuer": "CERTIFICATE_VERIFY_FAILED",
    "no issuer": "CERTIFICATE_VERIFY_FAILED",
    "another host": "not valid for 'localhost'",
    "no TLS": "Unable connect",
}


@pytest.mark.broker
@pytest.mark.parametrize("case", REFUSED)
async def test_broker_that_does_not_prove_its_name_gets_no_client(
    secured: Secured, tmp_path: Path, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    over: dict[str, Any] = {
        "another issuer": {"kafka_ca_file": str(Issuer(tmp_path / "other").certificate)},
        "no issuer": {"kafka_ca_file": ""},
        "another host": {"kafka_servers": f"localhost:{secured.server.port}"},
        "no TLS": {"kafka_security_protocol": "SASL_PLAINTEXT"},
    }[case]
    settings = secured.settings("dossier_service", **over)
    producer = AIOKafkaProducer(**connection_options(settings), request_timeout_ms=2_000)
    with pytest.raises(KafkaConnectionError):
        await producer.start()
    await producer.stop()
    assert REFUSED[case] in caplog.text
    with warnings.catch_warnings():
        # The library leaves a connection open on which it could not sign on.
        warnings.simplefilter("ignore", ResourceWarning)
        del producer
        gc.collect()


@pytest.mark.broker
def test_topics_are_made_over_tls(secured: Secured) -> None:
    def make(**over: str) -> int:
        environment = {
            **os.environ,
            "SECRETS_DIR": str(secured.secrets / "topics"),
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "PLAIN",
            "KAFKA_CA_FILE": secured.ca_file,
        }
        command = [sys.executable, "-m", "deploy.topics", secured.server.servers, "--user=admin"]
        return subprocess.run(command, cwd=ROOT, env=environment | over, check=False).returncode

    assert make() == 0
    assert make(KAFKA_SECURITY_PROTOCOL="PLAINTEXT") == 2
