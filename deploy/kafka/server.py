"""Apache Kafka itself, one node under KRaft, from its jars: `python -m deploy.kafka.server`.

Needs Java 17 or newer and Maven, which fetches the jars once into `.run/kafka`.
"""

import hashlib
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.ports import answers, free_port
from deploy.process import Child, running
from deploy.topics import create_topics

HERE = Path(__file__).resolve().parent
JARS = HERE.parents[1] / ".run" / "kafka" / "lib"
START_S = 180
CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qg"  # 16 bytes in base64url, as Kafka's own examples have it
# A short life: the first compiler is enough, and most of the time goes to the loading of classes.
JAVA = [
    "java",
    "-Xms512m",
    "-Xmx512m",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    f"-Dlog4j2.configurationFile={HERE / 'log4j2.yaml'}",
]


@dataclass
class KafkaServer:
    """Has the topics of `shared.messaging.topics` from its first start; a stop keeps every message.

    `settings` replace those of server.properties. With another protocol than PLAINTEXT the topics
    are left to an administrator. `credentials` are written before the first start (SCRAM).
    """

    directory: Path
    port: int = field(default_factory=free_port)
    controller_port: int = field(default_factory=free_port)
    protocol: str = "PLAINTEXT"
    settings: Mapping[str, str] = field(default_factory=dict)
    java_options: Sequence[str] = ()
    credentials: Sequence[str] = ()

    idempotent = True
    fetch_wait_ms = 500
    keeps_data = True

    def __post_init__(self) -> None:
        self.child = Child(
            name="kafka",
            command=_java("kafka.Kafka", str(self._properties), options=self.java_options),
            log=self.directory / "kafka.log",
            cwd=self.directory,
        )

    @property
    def servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        fetch_jars()
        if not self._properties.exists():
            self._format()
        self.child.start()
        self.child.wait_until(lambda: answers(self.port), START_S)
        if self.protocol == "PLAINTEXT":
            create_topics(self.servers, START_S)

    def stop(self) -> None:
        self.child.stop(seconds=30)

    @property
    def _properties(self) -> Path:
        return self.directory / "server.properties"

    def _format(self) -> None:
        controller = f"127.0.0.1:{self.controller_port}"
        own = {
            **self.settings,
            "listeners": f"{self.protocol}://{self.servers},CONTROLLER://{controller}",
            "advertised.listeners": f"{self.protocol}://{self.servers}",
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": str(self.directory / "data"),
        }
        lines = [f"{name}={value}\n" for name, value in own.items()]
        # Of a name that stands there twice the last one holds.
        self._properties.write_text((HERE / "server.properties").read_text() + "".join(lines))
        formatting = Child(
            name="kafka-storage",
            command=_java(
                "kafka.tools.StorageTool",
                *("format", "-t", CLUSTER_ID, "-c", str(self._properties)),
                *(word for each in self.credentials for word in ("--add-scram", each)),
            ),
            log=self.child.log,
            cwd=self.directory,
        )
        formatting.start()
        formatting.wait_for_success(START_S)


def fetch_jars() -> None:
    """Only when the versions in pom.xml are not the ones that lie there."""
    stamp = JARS / ".pom"
    versions = hashlib.sha256((HERE / "pom.xml").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == versions:
        return
    JARS.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    for old in JARS.glob("*.jar"):
        old.unlink()
    command = [
        "mvn",
        "-q",
        "-B",
        "-Dstyle.color=never",
        "-f",
        str(HERE / "pom.xml"),
        "dependency:copy-dependencies",
    ]
    command += [f"-DoutputDirectory={JARS}", "-DincludeScope=runtime"]
    subprocess.run(command, check=True)
    stamp.write_text(versions)


def _java(main_class: str, *arguments: str, options: Sequence[str] = ()) -> list[str]:
    return [*JAVA, *options, "-cp", f"{JARS}/*", main_class, *arguments]


def main() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as directory:
        server = KafkaServer(Path(directory), port=9092)
        try:
            with running(server):
                print(f"Apache Kafka answers on {server.servers}; Ctrl-C ends it", flush=True)
                signal.pause()
        except KeyboardInterrupt:
            print("stopped")


if __name__ == "__main__":
    main()
