"""`python -m deploy.dev_stack` with a real PostgreSQL and broker, but quick services."""

import os
import sys
from dataclasses import replace
from pathlib import Path

from deploy.dev_stack import commands
from deploy.dev_stack.stack import read_stack

FAKE = Path(__file__).with_name("fake_service.py")

if __name__ == "__main__":
    stack = replace(read_stack(os.environ), service_command=(sys.executable, "-S", str(FAKE)))
    sys.exit(
        {"up": commands.up, "stop": commands.stop, "status": commands.status}[sys.argv[1]](stack)
    )
