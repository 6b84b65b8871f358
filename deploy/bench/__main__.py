"""`make bench`: a stack of its own, everything on, and the figures with their aims beside."""

import os
import shutil
import sys

from deploy.bench.measuring import wished
from deploy.bench.paths import STACK
from deploy.dev_stack.commands import with_stack
from deploy.dev_stack.record import held, is_held
from deploy.dev_stack.stack import own_ports, read_stack


def main() -> int:
    wished()  # what is misspelt is told before anything is started
    if not os.environ.get("RUN_DIR"):
        _choose_own_stack()
    return with_stack(read_stack(os.environ), [sys.executable, "-m", "deploy.bench.measuring"])


def _choose_own_stack() -> None:
    """Empty, and on ports that nobody has: what else runs on this machine stays as it is."""
    os.environ["RUN_DIR"] = str(STACK)
    for name, port in own_ports().items():
        os.environ.setdefault(name, port)
    if STACK.exists() and not is_held(STACK):
        with held(STACK):
            for path in STACK.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()


if __name__ == "__main__":
    sys.exit(main())
