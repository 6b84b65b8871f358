"""`python -m deploy.dev_stack up|stop|status|logs ID|with COMMAND|as SERVICE COMMAND`.

Variables come from the environment, then from the file `.env` (ENV_FILE names another).
"""

import argparse
import os
import re
import sys
from pathlib import Path

from deploy.dev_stack import commands
from deploy.dev_stack.stack import ROOT, load_env_file, read_stack
from deploy.services import SERVICES


def _read_id(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{8,64}", text):
        raise argparse.ArgumentTypeError("give the trace_id of an answer, or its X-Request-Id")
    return text


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.dev_stack", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("up", help="start everything, until Ctrl-C")
    actions.add_parser("stop", help="end what runs, and what a killed run left over")
    actions.add_parser("status", help="say what runs and whether it is ready")
    looking = actions.add_parser("logs", help="all lines about a request, the stack may be stopped")
    looking.add_argument("id", type=_read_id, help="trace_id of an answer, or its X-Request-Id")
    beside = actions.add_parser("with", help="run a command beside the stack, started if need be")
    beside.add_argument("command", nargs=argparse.REMAINDER)
    acting = actions.add_parser("as", help="run a command with the environment of a service")
    acting.add_argument("service", choices=sorted(SERVICES))
    acting.add_argument("command", nargs=argparse.REMAINDER)
    wish = parser.parse_args()

    try:
        load_env_file(Path(os.environ.get("ENV_FILE") or ROOT / ".env"))
        stack = read_stack(os.environ)
    except ValueError as error:
        sys.exit(str(error))
    match wish.action:
        case "up":
            return commands.up(stack)
        case "stop":
            return commands.stop(stack)
        case "status":
            return commands.status(stack)
        case "logs":
            return commands.logs(stack, wish.id)
        case "with":
            return commands.with_stack(stack, wish.command)
        case _:
            return commands.as_service(stack, wish.service, wish.command)


if __name__ == "__main__":
    sys.exit(main())
