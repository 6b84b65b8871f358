"""The meshes on which faults happen: one as `make run` has it, one with its stores apart."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from deploy.kafka.server import JARS, KafkaServer
from deploy.ports import free_port
from deploy.postgres import SUPERUSER, EmbeddedPostgres
from deploy.process import running
from tests.faults.fault import Kind
from tests.faults.injections.disk import volume
from tests.faults.isolation import is_isolated, lacks_isolation
from tests.faults.runner import Ground
from tests.support.mesh import running_mesh
from tests.support.tools import JAVA, MAVEN

# libfaketime is dear to who asks for the time often: only those run under it who need it.
MODULES = {Kind.LOCAL: "deploy.dev_stack", Kind.CLOCKED: "tests.faults.clocked"}


def lacks_kafka() -> str:
    fetched = (JARS / ".pom").exists()
    missing = lacks_isolation() or JAVA.lack() or ("" if fetched else MAVEN.lack())
    return missing or ("" if fetched else "needs Apache Kafka, which Maven could not fetch")


@contextmanager
def ground(kind: Kind, folder: Path, seed: str, per_second: float) -> Iterator[Ground]:
    with ExitStack() as stack:
        if kind in MODULES:
            run = folder / kind.name.lower()
            if is_isolated():
                stack.enter_context(volume(run / "postgres"))
            mesh = stack.enter_context(running_mesh(run, MODULES[kind]))
            yield Ground(mesh, seed, run, per_second)
            return
        database = _postgres_over_tcp(folder, port := free_port())
        stack.enter_context(running(database))
        axis = KafkaServer(stack.enter_context(volume(folder / "axis")))
        stack.enter_context(running(axis))
        url = f"postgresql://{SUPERUSER}@127.0.0.1:{port}/postgres"
        apart = {"DATABASE_URL": url, "KAFKA_SERVERS": axis.servers}
        mesh = stack.enter_context(running_mesh(folder / "apart", **apart))
        yield Ground(mesh, seed, folder, per_second, database, axis)


def _postgres_over_tcp(folder: Path, port: int) -> EmbeddedPostgres:
    database = EmbeddedPostgres(folder / "postgres-apart", log=folder / "postgres-apart.log")
    listening = ("-c", "listen_addresses=127.0.0.1", "-c", f"port={port}")
    database.child.command = [*database.child.command, *listening]
    return database
