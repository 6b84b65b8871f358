"""Starts the stack in order, keeps its processes alive, stops it in the opposite order."""

import http.client
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from aiokafka.errors import KafkaError

from deploy.broker import EmbeddedBroker
from deploy.dev_stack.given_servers import explain_given_server
from deploy.dev_stack.logs import begin_logs
from deploy.dev_stack.record import Record, forget
from deploy.dev_stack.stack import HOST, ROOT, Stack
from deploy.postgres import make_databases
from deploy.process import Child, ChildFailedError, ProcessId
from deploy.secrets import make_secrets
from deploy.services import SERVICES, Service
from deploy.topics import create_topics
from identity_service.sandbox.clients import read_secrets

READY_S = 90.0
ONCE_S = 300.0  # a migration of a large database
WATCH_S = 0.2
FIRST_PAUSE_S = 0.5
MAX_PAUSE_S = 30.0
STEADY_S = 60.0
WORKER_S = 0.5


def say(text: str) -> None:
    print(text, flush=True)


@dataclass
class Watched:
    """A process that is started again when it ends, each time after twice the pause."""

    child: Child
    restart: Callable[[], None]
    port: int | None = None
    pause: float = FIRST_PAUSE_S
    started_at: float = field(default_factory=time.monotonic)
    due_at: float | None = None

    def look(self) -> bool:
        """True if it was started again just now."""
        now = time.monotonic()
        if self.child.is_running:
            self.due_at = None
            return False
        if self.due_at is None:
            if now - self.started_at > STEADY_S:
                self.pause = FIRST_PAUSE_S
            self.due_at = now + self.pause
            say(f"! {self.child.name} ended ({self.child.exit_code}), again in {self.pause} s")
            self.pause = min(self.pause * 2, MAX_PAUSE_S)
        if now < self.due_at:
            return False
        self.due_at, self.started_at = None, now
        try:
            self.restart()
        except (ChildFailedError, KafkaError) as error:
            say(f"! {self.child.name} did not start: {error}")
            self.child.stop()
        return True

    def is_ready(self) -> bool:
        return self.port is None or is_ready(self.port)


@dataclass
class Supervisor:
    stack: Stack
    watched: list[Watched] = field(default_factory=list)
    errands: list[Child] = field(default_factory=list)
    began_at: float = field(default_factory=time.monotonic)

    def start(self) -> None:
        """Returns when all is ready; else ChildFailedError says which part is not, and why."""
        begin_logs(self.stack.logs)
        self._write_record()
        make_secrets(self.stack.secrets)
        read_secrets(self.stack.sandbox_file)  # before the seed, which ends without an explanation
        self._start_postgres()
        self._start_broker()
        self.for_each_service("prepare")
        self._start_services()

    def watch(self, until: Callable[[], bool]) -> None:
        while not until():
            if [watched for watched in self.watched if watched.look()]:
                self._write_record()
            time.sleep(WATCH_S)

    def stop(self) -> None:
        """First the doors, then the rest of the services, broker, and PostgreSQL last."""
        services = [w.child for w in self.watched if w.port is not None]
        doors = [child for child in services if child.name == "gateway-serve"]
        others = [child for child in services if child not in doors]
        base = [w.child for w in reversed(self.watched) if w.port is None]
        for wave in (doors, others, *([child] for child in base)):
            for child in wave:
                child.ask_to_stop()
            for child in wave:
                child.stop()
        forget(self.stack.directory)

    def for_each_service(self, task: str) -> None:
        """`python -m <service> <task>`, all at once; raises ChildFailedError."""
        self.errands = [self._service_child(service, task) for service in SERVICES.values()]
        self._report(f"{task}: {', '.join(SERVICES)}")
        try:
            for child in self.errands:
                child.start()
            self._write_record()
            for child in self.errands:
                child.wait_for_success(ONCE_S)
                self._report(f"{child.name} is done")
        finally:
            for child in self.errands:
                child.stop()
            self.errands = []

    def _start_postgres(self) -> None:
        if not self.stack.database_url:
            self._report("PostgreSQL starts")
            postgres = self.stack.postgres
            self.watched.append(Watched(postgres.child, restart=postgres.start))
            postgres.start()
            self._write_record()
        self._report("the databases are made, where they are missing")
        passwords = {
            name: (self.stack.secrets / name / "database_password").read_text() for name in SERVICES
        }
        with explain_given_server("DATABASE_URL", given=self.stack.database_url):
            make_databases(self.stack.admin_url, passwords)

    def _start_broker(self) -> None:
        if self.stack.kafka_servers:
            self._report("the topics are made, where they are missing")
            with explain_given_server("KAFKA_SERVERS", given=True):
                create_topics(self.stack.kafka_servers)
            return
        self._report("the broker starts")
        broker = self.stack.broker
        self.watched.append(Watched(broker.child, restart=partial(self._restart, broker)))
        broker.start()
        self._write_record()

    def _restart(self, broker: EmbeddedBroker) -> None:
        """Restart the broker with the workers: it has lost its messages, and they would read on.

        Each worker publishes its recent events again at its start.
        """
        workers = [w.child for w in self.watched if w.child.name.endswith("-work")]
        for child in workers:
            child.ask_to_stop()
        for child in workers:
            child.stop(WORKER_S)
        broker.start()
        for child in workers:
            child.start()

    def _start_services(self) -> None:
        self._report("the services and their workers start")
        for service in SERVICES.values():
            for task, port in (
                ("serve", self.stack.port(service)),
                ("work", self.stack.worker_port(service)),
            ):
                child = self._service_child(service, task)
                self.watched.append(Watched(child, restart=child.start, port=port))
                child.start()
        self._write_record()
        deadline = time.monotonic() + READY_S
        for watched in self.watched:
            left = max(deadline - time.monotonic(), 0.1)
            watched.child.wait_until(watched.is_ready, left)
            self._report(f"{watched.child.name} is ready")

    def _service_child(self, service: Service, task: str) -> Child:
        name = f"{service.short}-{task}"
        return Child(
            name=name,
            command=[*self.stack.service_command, service.name, task],
            log=self.stack.log(name),
            cwd=ROOT,
            env=self.stack.service_environment(service),
        )

    def _report(self, step: str) -> None:
        """Print the step after the seconds since the start."""
        say(f"{time.monotonic() - self.began_at:6.1f} s  {step}")

    def _write_record(self) -> None:
        children = [*(watched.child for watched in self.watched), *self.errands]
        alive = {child.name: child.process_id for child in children}
        Record(
            supervisor=ProcessId.of(os.getpid()),
            children={name: found for name, found in alive.items() if found},
            ports=self.stack.ports,
        ).write(self.stack.directory)


def is_ready(port: int) -> bool:
    """Straight to the port: a proxy named in the environment knows nothing of it."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
