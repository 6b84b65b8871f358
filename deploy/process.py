"""A process that belongs to another: never outlives its parent, ends with its whole group."""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import psutil

PR_SET_PDEATHSIG = 1
STOP_S = 15.0
POLL_S = 0.02
TAIL_LINES = 15
# The clock may be set between two readings of the same start time.
CLOCK_S = 2.0


# Linux ends a tied child with the thread that started it: this one lives as long as the process.
_STARTER = ThreadPoolExecutor(1, thread_name_prefix="child-starter")


class ChildFailedError(RuntimeError):
    """The process ended or stayed silent; the message holds the end of its log."""


@dataclass(frozen=True)
class ProcessId:
    """A pid that another process cannot inherit: the start time (Unix seconds) goes with it."""

    pid: int
    started: float
    stop_signal: int = signal.SIGTERM

    @classmethod
    def of(cls, pid: int, stop_signal: int = signal.SIGTERM) -> "ProcessId":
        return cls(pid, psutil.Process(pid).create_time(), stop_signal)

    def is_alive(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < CLOCK_S
            return bool(same and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    def end(self, seconds: float) -> bool:
        """Stop it and its group; True if anything was left to stop."""
        if not self.is_alive():
            return not psutil.pid_exists(self.pid) and _kill_group(self.pid)
        os.kill(self.pid, self.stop_signal)
        self._wait(seconds)
        _kill_group(self.pid)
        self._wait(seconds)
        return True

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.is_alive() and time.monotonic() < deadline:
            time.sleep(POLL_S)


@dataclass
class Child:
    """`log` takes the output; `env` is the whole environment (None: that of the parent)."""

    name: str
    command: Sequence[str]
    log: Path
    cwd: Path
    env: Mapping[str, str] | None = None
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    _popen: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        self._popen = _STARTER.submit(self._open_process).result()

    def _open_process(self) -> "subprocess.Popen[bytes]":
        account = pwd.getpwnam(self.user) if self.user else None
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self.command,
                cwd=self.cwd,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Its own group: Ctrl-C reaches the parent alone, which then stops all in order.
                start_new_session=True,
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
                preexec_fn=_ending_with_parent(self.stop_signal),  # noqa: PLW1509 - takes no lock
            )

    @property
    def exit_code(self) -> int | None:
        """None while it runs, and before it was started."""
        return self._popen.poll() if self._popen else None

    @property
    def is_running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    @property
    def process_id(self) -> ProcessId | None:
        if not self._popen or self._popen.poll() is not None:
            return None
        with suppress(psutil.NoSuchProcess):
            return ProcessId.of(self._popen.pid, self.stop_signal)
        return None

    def ask_to_stop(self) -> None:
        if self._popen and self.is_running:
            self._popen.send_signal(self.stop_signal)

    def stop(self, seconds: float = STOP_S) -> None:
        """Return when all its processes have ended; kill those that have not after `seconds`."""
        if not self._popen:
            return
        self.ask_to_stop()
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(seconds)
        _kill_group(self._popen.pid)
        self._popen.wait()

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Raises ChildFailedError if it ends first, or is not ready in time."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.is_running:
                raise ChildFailedError(
                    f"{self.name} ended with {self.exit_code}\n{self.log_tail()}"
                )
            if time.monotonic() > deadline:
                raise ChildFailedError(
                    f"{self.name} is not ready after {seconds:.0f} s\n{self.log_tail()}"
                )
            time.sleep(POLL_S)

    def wait_for_success(self, seconds: float) -> None:
        """Wait for a process that does one thing; raise ChildFailedError unless 0 in time."""
        try:
            code = self._popen.wait(seconds) if self._popen else None
        except subprocess.TimeoutExpired:
            self.stop()
            raise ChildFailedError(
                f"{self.name}: no end in {seconds:.0f} s\n{self.log_tail()}"
            ) from None
        if code != 0:
            raise ChildFailedError(f"{self.name} ended with {code}\n{self.log_tail()}")

    def log_tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join([f"  the end of {self.log}:", *(f"  | {line}" for line in lines)])


class Server(Protocol):
    def start(self) -> None: ...
    def stop(self) -> None: ...


S = TypeVar("S", bound=Server)


@contextmanager
def running(server: S) -> Iterator[S]:
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _ending_with_parent(stop_signal: int) -> Callable[[], None] | None:
    """Tie the child to its parent before it becomes its program; only Linux can do so."""
    if sys.platform != "linux":
        return None
    parent, prctl = os.getpid(), ctypes.CDLL(None).prctl

    def tie() -> None:
        prctl(PR_SET_PDEATHSIG, stop_signal)
        if os.getppid() != parent:  # it died meanwhile: the signal will not come
            os._exit(1)

    return tie


def _kill_group(leader: int) -> bool:
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True
