"""A run leaves nothing behind: the kernel ends its processes, mounts, rules and ports with it."""

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys

from tests.support.tools import UNSHARE

INSIDE = "FAULTS_ISOLATED"
_SET_FLAGS, _UP = 0x8914, 0x1  # SIOCSIFFLAGS, IFF_UP: linux/sockios.h, linux/if.h
_UNSHARE = ("--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")


def isolate() -> None:
    """Starts this program again in namespaces of its own; where it may not, it goes on as it is."""
    if is_isolated():
        _raise_loopback()
        return
    if not may_isolate():
        return
    os.environ[INSIDE] = "1"
    command = [sys.executable, "-m", "tests.faults", *sys.argv[1:]]
    os.execvp("unshare", ["unshare", *_UNSHARE, "--", *command])


def may_isolate() -> bool:
    """Root alone is not enough: a container's root has no namespaces to give."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return False
    tried = subprocess.run(["unshare", *_UNSHARE, "--", "true"], capture_output=True, check=False)
    return tried.returncode == 0


def is_isolated() -> bool:
    return bool(os.environ.get(INSIDE))


def lacks_isolation() -> str:
    """For what may be done to nobody else's disks and network."""
    if is_isolated():
        return ""
    return UNSHARE.lack() or "needs root and namespaces of its own: sudo make faults"


def _raise_loopback() -> None:
    """The only interface of a new network namespace, which begins down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh", b"lo", _UP))
