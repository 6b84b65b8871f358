"""`make bench`: measure a stack of its own, with everything on, and judge the figures."""

import os
import shutil
import sys

from deploy.bench.measuring import read_wanted_parts
from deploy.bench.paths import STACK
from deploy.dev_stack.commands import with_stack
from deploy.dev_stack.record import held, is_held
from deploy.dev_stack.stack import own_ports, read_stack


def main() -> int:
    read_wanted_parts()  # a misspelt part ends the run before anything is started
    if not os.environ.get("RUN_DIR"):
        _choose_own_stack()
    return with_stack(read_stack(os.environ), [sys.executable, "-m", "deploy.bench.measuring"])


def _choose_own_stack() -> None:
    """Use an emptied folder and free ports, so that other stacks of this machine stay as is."""
    os.environ["RUN_DIR"] = str(STACK)
    for name, port in own_ports().items():
        os.environ.setdefault(name, port)
    if STACK.exists() and not is_held(STACK):
        with held(STACK):
            for path in STACK.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()


if __name__ == "__main__":
    sys.exit(main())
