"""`python -m tests.faults.clocked SERVICE TASK`: `python -m SERVICE TASK` under a clock of its own.

`python -m tests.faults.clocked up` starts the stack of such processes.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from deploy.dev_stack import commands
from deploy.dev_stack.stack import read_stack
from deploy.services import SERVICES
from tests.faults.injections.clock import environment, file_of, lacks_libfaketime


def up() -> int:
    command = [sys.executable, "-m", "tests.faults.clocked"]
    return commands.up(replace(read_stack(os.environ), service_command=command))


def become_service() -> NoReturn:
    service, task, *_ = sys.argv[1:]
    if not lacks_libfaketime():
        process = f"{SERVICES[service].short}-{task}"
        os.environ |= environment(file_of(Path(os.environ["RUN_DIR"]), process))
    os.execv(sys.executable, [sys.executable, "-m", *sys.argv[1:]])


if __name__ == "__main__":
    if sys.argv[1:] == ["up"]:
        sys.exit(up())
    become_service()
