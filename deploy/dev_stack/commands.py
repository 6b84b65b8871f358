"""The commands of the local stack; each function returns the exit code of its command."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from types import FrameType
from typing import NoReturn, ParamSpec

from deploy.dev_stack.given_servers import UnusableServerError
from deploy.dev_stack.logs import find_entries
from deploy.dev_stack.record import (
    AlreadyRunningError,
    BrokenRecordError,
    end_left_overs,
    held,
    is_held,
    read_record,
)
from deploy.dev_stack.stack import ROOT, Stack
from deploy.dev_stack.supervisor import Supervisor, is_ready, say
from deploy.dev_stack.taken_ports import PortTakenError, refuse_taken_ports
from deploy.process import ChildFailedError
from deploy.secrets import BrokenSecretError
from deploy.services import SERVICES
from identity_service.sandbox.clients import BrokenSandboxFileError

STOP_S = 120.0
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(BaseException):
    """Someone asked this process to end: the stack is stopped on the way out."""


# Each message is a sentence that says how to mend it.
EXPECTED_FAILURES = (
    AlreadyRunningError,
    BrokenRecordError,
    BrokenSandboxFileError,
    BrokenSecretError,
    ChildFailedError,
    PortTakenError,
    UnusableServerError,
)
P = ParamSpec("P")


def explain_failures(command: Callable[P, int]) -> Callable[P, int]:
    """Print the message of an expected failure and return 1, in place of a traceback."""

    @wraps(command)
    def run_command(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            return command(*args, **kwargs)
        except EXPECTED_FAILURES as error:
            say(str(error))
        except OSError as error:
            if not error.filename:
                raise
            say(f"{error.filename} cannot be used ({error.strerror}): repair it, or move it away.")
        return 1

    return run_command


@explain_failures
def up(stack: Stack) -> int:
    """Runs until it is ended, by Ctrl-C or `stop`."""
    try:
        with _started(stack) as supervisor:
            say(summary(stack))
            supervisor.watch(until=lambda: False)
    except Ended:
        say("Stopped; the data stays in " + str(stack.directory / "postgres"))
    return 0


@explain_failures
def with_stack(stack: Stack, command: Sequence[str]) -> int:
    """Runs the command beside the stack that runs, or beside one that ends with it."""
    if is_held(stack.directory):
        running = as_started(stack)
        return subprocess.run(command, cwd=ROOT, env=running.environment(), check=False).returncode
    try:
        with _started(stack) as supervisor:
            return _watch_beside(supervisor, command)
    except Ended:
        return 130


@explain_failures
def as_service(stack: Stack, service: str, command: Sequence[str]) -> int:
    """Runs the command with the environment of that service; the stack must run."""
    if not is_held(stack.directory):
        say("The stack does not run: `make run` first.")
        return 1
    environment = as_started(stack).service_environment(SERVICES[service])
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


@explain_failures
def stop(stack: Stack) -> int:
    """Returns when all of it has ended."""
    record = read_record(stack.directory)
    if not is_held(stack.directory):
        with held(stack.directory):
            ended = end_left_overs(stack.directory)
        say(f"Left over, now stopped: {', '.join(ended)}" if ended else "Nothing runs.")
        return 0
    if record and record.supervisor.is_alive():
        os.kill(record.supervisor.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    while is_held(stack.directory):
        if time.monotonic() > deadline:
            say(f"The stack has not ended after {STOP_S:.0f} s.")
            return 1
        time.sleep(0.05)
    say("Stopped.")
    return 0


@explain_failures
def status(stack: Stack) -> int:
    """0 if all is ready, 1 if something is not, 3 if nothing runs (as systemd has it)."""
    record = read_record(stack.directory)
    if not is_held(stack.directory) or not record:
        say("Nothing runs.")
        return 3
    stack = as_started(stack)
    ports = {f"{s.short}-serve": stack.port(s) for s in SERVICES.values()}
    ports |= {f"{s.short}-work": stack.worker_port(s) for s in SERVICES.values()}
    all_ready = True
    for name, child in record.children.items():
        ready = child.is_alive() and (name not in ports or is_ready(ports[name]))
        all_ready = all_ready and ready
        where = f"port {ports[name]}" if name in ports else ""
        say(f"{name:<15} {'ready' if ready else 'NOT ready':<10} pid {child.pid:<8} {where}")
    return 0 if all_ready else 1


@explain_failures
def logs(stack: Stack, given: str) -> int:
    """Print the lines of a trace or request; 1 if there is none."""
    entries = find_entries(stack.logs, given)
    say("\n".join(entries) or f"No line of {stack.logs} and of the runs before names {given}.")
    return 0 if entries else 1


def _watch_beside(supervisor: Supervisor, command: Sequence[str]) -> int:
    with subprocess.Popen(command, cwd=ROOT, env=supervisor.stack.environment()) as process:
        try:
            supervisor.watch(until=lambda: process.poll() is not None)
        finally:
            process.terminate()  # nothing, if it has ended by itself
        return process.returncode


def as_started(stack: Stack) -> Stack:
    """Return the stack with the ports of the running one."""
    record = read_record(stack.directory)
    return replace(stack, ports={**stack.ports, **record.ports}) if record else stack


def summary(stack: Stack) -> str:
    gateway = SERVICES["gateway"]
    lines = [
        "",
        "Liên Thông runs; Ctrl-C here or `make stop` ends it.",
        f"  API pages   {stack.url(gateway)}/docs",
        f"  database    {stack.admin_url if not stack.database_url else 'as DATABASE_URL says'}",
        f"  broker      {stack.servers}{'' if stack.kafka_servers else ' (embedded, in memory)'}",
        *(
            f"  {service.short:<11} {stack.url(service)}, worker {stack.worker_port(service)}"
            for service in SERVICES.values()
        ),
        f"  logs        {stack.logs}",
    ]
    if stack.sandbox_file.exists():
        page = f"{stack.url(SERVICES['gateway'])}/sandbox"
        lines.append(f"  sandbox     {page}, secrets in {stack.sandbox_file}")
    return "\n".join(lines)


@contextmanager
def _started(stack: Stack) -> Iterator[Supervisor]:
    """Start the whole stack and stop it in order at its end, which no further signal cuts short."""
    with held(stack.directory):
        for number in ENDING_SIGNALS:
            signal.signal(number, _end)
        if ended := end_left_overs(stack.directory):
            say(f"Left over from a run that was killed, now stopped: {', '.join(ended)}")
        refuse_taken_ports(stack)
        supervisor = Supervisor(stack)
        try:
            supervisor.start()
            yield supervisor
        finally:
            for number in ENDING_SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            say("Stopping …")
            supervisor.stop()


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise Ended
