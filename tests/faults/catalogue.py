"""Every fault, in the order of a whole run."""

from collections.abc import Callable, Sequence

from sqlalchemy import make_url

from deploy.services import SERVICES
from tests.faults.fault import Fault, Kind, Site, nothing
from tests.faults.injections import apart, clock, crowd, postgres
from tests.faults.injections.disk import fill
from tests.faults.injections.network import cut, lacks_nft
from tests.faults.injections.processes import (
    ASKED,
    kill,
    kill_server_behind_gateway,
    others_stay_fast,
    stop,
)
from tests.faults.isolation import lacks_isolation

# Longer than a worker's group waits for a member that is silent.
STILL_S = 9.0
LONG_S = 30.0
# Longer than the gateway's time-out and what is added to it: a call without one would show.
SILENT_S = 16.0

_SERVICES = [service.short for service in SERVICES.values()]
_STEPS = (
    ("gateway-serve", 10),
    ("gateway-serve", -10),
    ("identity-serve", 10),
    ("dossier-serve", -10),
    ("dossier-work", -10),
    ("sync-serve", 10),
)
_PROCESSES = [f"{short}-{task}" for short in _SERVICES for task in ("serve", "work")]


def _stopped(name: str) -> Fault:
    about = f"{name} stands still (SIGSTOP) and comes back"
    service, task = name.rsplit("-", 1)
    if task == "serve" and service in ASKED:
        about = f"{name} accepts and never answers (SIGSTOP), and comes back"
        expect = others_stay_fast(service)
        return Fault(f"stop-{name}", about, stop(name, SILENT_S), expect=expect)
    return Fault(f"stop-{name}", about, stop(name, STILL_S))


def _port(variable: str) -> Callable[[Site], int]:
    return lambda site: site.mesh.port(variable)


def _port_of_axis(site: Site) -> int:
    assert site.axis
    return site.axis.port


def _port_of_database(site: Site) -> int:
    port = make_url(site.mesh.environment["DATABASE_URL"]).port
    assert port
    return port


def _cut_off(name: str, between: str, port: Callable[[Site], int], on: Kind = Kind.LOCAL) -> Fault:
    about = f"the network between {between} drops every packet"
    return Fault(f"cut-{name}", about, cut(port, STILL_S), on, lacks=lacks_nft)


def _clock(process: str, minutes: int) -> Fault:
    return Fault(
        f"clock-{process}{minutes:+}",
        f"the clock of {process} set {minutes:+} minutes, and back",
        clock.step(process, minutes),
        Kind.CLOCKED,
        expect=clock.tokens_were_refused if process == clock.GATEWAY else nothing,
        lacks=clock.lacks_libfaketime,
        sets_clock=process == "dossier-serve",
    )


FAULTS: Sequence[Fault] = (
    *(Fault(f"kill-{name}", f"{name} killed with -9", kill(name)) for name in _PROCESSES),
    Fault(
        "kill-gateway-server",
        "the serving process below gateway-serve killed with -9",
        kill_server_behind_gateway,
    ),
    Fault("kill-postgres", "PostgreSQL's first process killed with -9", kill("postgres")),
    Fault(
        "kill-broker",
        "the broker killed with -9: its memory is lost, replay refills it",
        kill("broker"),
    ),
    *(_stopped(name) for name in _PROCESSES),
    Fault("stop-broker", "the broker stands still (SIGSTOP)", stop("broker", LONG_S)),
    Fault("stop-postgres", "PostgreSQL stands still (SIGSTOP)", stop("postgres", STILL_S)),
    Fault("crash-postgres", "PostgreSQL stopped at once (immediate), restarted", postgres.crash),
    Fault(
        "postgres-connections",
        "every connection to PostgreSQL ended and every slot taken",
        postgres.take_all_connections,
    ),
    Fault(
        "disk-postgres",
        "the disk of PostgreSQL full",
        fill("postgres"),
        lacks=lacks_isolation,
    ),
    *(_cut_off(short, f"the gateway and {short}-serve", _port(short)) for short in ASKED),
    _cut_off("broker", "all workers and the broker", _port("broker")),
    *(_clock(process, minutes) for process, minutes in _STEPS),
    Fault(
        "spike",
        f"{crowd.SPIKE} times the usual load",
        crowd.spike,
        expect=crowd.only_answered_or_shed,
    ),
    Fault("stop-axis", "Apache Kafka ended, and started later", apart.stop_axis, Kind.APART),
    Fault(
        "stop-database",
        "PostgreSQL ended in order, and started later",
        apart.stop_database,
        Kind.APART,
    ),
    Fault("disk-axis", "the disk of Apache Kafka full", apart.fill_disk_of_axis, Kind.APART),
    _cut_off("axis", "all workers and Apache Kafka", _port_of_axis, Kind.APART),
    _cut_off("database", "all services and PostgreSQL", _port_of_database, Kind.APART),
)
# Only where SOAK says for how long: what is short shows caches that fill.
SOAK = Fault("soak", "the usual load, for long", crowd.soak)
