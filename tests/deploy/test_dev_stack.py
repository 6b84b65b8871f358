"""The local stack: started in order, kept alive, and ended without leaving a process."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys

from deploy.services import SERVICES
from tests.conftest import Broker, Databases
from tests.deploy.conftest import StackProcess, processes_of
from tests.support.waiting import eventually


async def test_sigterm_ends_everything_and_the_next_start_finds_the_data(
    stack: StackProcess,
) -> None:
    for times_seeded in (1, 2):
        process = stack.run("up")
        await eventually(stack.is_up)
        assert stack.calls().count("identity_service prepare") == times_seeded
        assert stack.calls().count("gateway prepare") == times_seeded

        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, stack.said("up")
        assert processes_of(stack.directory) == []
    assert "\nStopping …\n" in stack.said("up")
    assert stack.said("up").endswith(f"the data stays in {stack.directory / 'postgres'}\n")
    log = (stack.directory / "logs" / "postgres.log").read_text()
    assert "database system was shut down at" in log  # and not "was interrupted"
    names = {path.name for path in (stack.directory / "logs").iterdir()}
    assert {path.name for path in (stack.directory / "logs.1").iterdir()} == names


async def test_second_start_says_that_it_runs_and_stop_ends_it(stack: StackProcess) -> None:
    first = stack.run("up")
    await eventually(stack.is_up)
    code, said = stack.finish("status")
    assert (code, said.count(" ready ")) == (0, 10)  # PostgreSQL, the broker, 4 services twice
    assert stat.S_IMODE((stack.directory / "logs").stat().st_mode) == 0o700
    steps = re.findall(r"^ +\d+\.\d s  (.+)$", stack.said("up"), re.MULTILINE)
    assert steps[0] == "PostgreSQL starts"
    for done in ("identity-prepare is done", "broker is ready", "gateway-serve is ready"):
        assert done in steps

    assert stack.finish("up") == (1, f"The stack of {stack.directory} already runs.\n")

    assert stack.finish("stop") == (0, "Stopped.\n")
    assert first.wait(60) == 0
    assert processes_of(stack.directory) == []
    assert stack.finish("stop") == (0, "Nothing runs.\n")
    assert stack.finish("status") == (3, "Nothing runs.\n")


async def test_what_died_is_started_again_and_with_the_broker_all_workers(
    stack: StackProcess,
) -> None:
    stack.run("up")
    await eventually(stack.is_up)
    before = stack.record().children
    died = {"sync-serve", "broker", "postgres"}
    for name in died:
        os.kill(before[name].pid, signal.SIGKILL)
    workers = {f"{service.short}-work" for service in SERVICES.values()}

    def all_are_back() -> bool:
        now = stack.record().children
        changed = {name for name in before if name in now and now[name] != before[name]}
        return changed == died | workers

    await eventually(all_are_back)
    await eventually(lambda: stack.finish("status")[0] == 0)


async def test_start_after_kill_9_recovers(stack: StackProcess) -> None:
    process = stack.run("up")
    await eventually(stack.is_up)
    survivor = stack.record().children["dossier-serve"]
    # A stopped process takes no SIGTERM: it outlives its supervisor until someone kills it.
    os.kill(survivor.pid, signal.SIGSTOP)
    process.kill()
    process.wait()

    stack.run("up")
    await eventually(stack.is_up)
    assert "Left over from a run that was killed, now stopped:" in stack.said("up")
    assert not survivor.is_alive()


async def test_taken_port_is_named_with_its_owner_before_anything_starts(
    stack: StackProcess,
) -> None:
    port = int(stack.environment["SYNC_WORKER_PORT"])
    with socket.create_server(("127.0.0.1", port)):
        code, said = stack.finish("up")
    assert code == 1
    advice = (
        rf"Port {port} is taken, and the sync worker wants it. Choose another: (\S+) make run\n"
    )
    chosen = re.fullmatch(advice, said)
    assert chosen
    name, _, other = chosen[1].partition("=")
    assert name == "SYNC_WORKER_PORT"
    assert other not in stack.environment.values()
    assert not (stack.directory / "postgres").exists()


async def test_part_that_cannot_start_is_named_with_the_end_of_its_log(
    stack: StackProcess,
) -> None:
    stack.environment["FAKE_FAULT"] = "dossier_service work"
    code, said = stack.finish("up")
    assert code == 1
    assert "dossier-work ended with 3" in said
    assert "| the fault that was asked for" in said
    assert processes_of(stack.directory) == []


async def test_given_servers_are_used_and_not_embedded(
    stack: StackProcess, postgres: Databases, kafka: Broker
) -> None:
    servers = {"DATABASE_URL": postgres.server.url, "KAFKA_SERVERS": kafka.servers}
    stack.environment |= servers
    stack.run("up")
    await eventually(stack.is_up)
    assert {name.split("-")[0] for name in stack.record().children} == {
        "gateway",
        "identity",
        "dossier",
        "sync",
    }
    assert not (stack.directory / "postgres").exists()


def test_port_wanted_by_two_parts_is_refused_before_anything_starts(
    stack: StackProcess,
) -> None:
    stack.environment["DOSSIER_PORT"] = stack.environment["SYNC_PORT"]
    code, said = stack.finish("up")
    assert code == 1
    assert f"Port {stack.environment['SYNC_PORT']} is wanted twice" in said


def test_port_that_is_none_is_told_in_one_sentence(stack: StackProcess) -> None:
    stack.environment["DOSSIER_PORT"] = "abc"
    command = [sys.executable, "-m", "deploy.dev_stack", "status"]
    told = subprocess.run(
        command, env=stack.environment, capture_output=True, text=True, check=False
    )
    assert told.returncode == 1
    assert told.stderr == "DOSSIER_PORT is not a port: give it a number from 1 to 65535.\n"
