"""`python -m deploy.backup write [FILE]|restore FILE`: the data of `make run`, with its secrets."""

import argparse
import os
import sys
from pathlib import Path

from deploy.backup.commands import BackupError, name_new_backup, restore_backup, write_backup
from deploy.dev_stack.stack import read_stack


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.backup", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    writing = actions.add_parser("write", help="databases and secrets to one file")
    writing.add_argument("file", nargs="?", type=Path, help="default: backup-<time>.tar, here")
    restoring = actions.add_parser("restore", help="put the data of a back-up in place")
    restoring.add_argument("file", type=Path)
    restoring.add_argument("--replace", action="store_true", help="put aside what is there")
    restoring.add_argument("--secrets-only", action="store_true", help="leave the databases")
    chosen = parser.parse_args()

    os.umask(0o077)  # nobody else may read what this process makes
    try:
        stack = read_stack(os.environ)
        if chosen.action == "write":
            write_backup(stack, (chosen.file or name_new_backup()).resolve())
        else:
            restore_backup(
                stack,
                chosen.file.resolve(),
                to_replace=chosen.replace,
                secrets_only=chosen.secrets_only,
            )
    except (BackupError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
