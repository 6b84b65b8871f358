"""Stands for `python -m <service>`: `serve` and `work` answer /readyz, the rest leaves a mark.

What went wrong is asked for in FAKE_FAULT: "<service> <task>" then ends with 3.
"""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


def main(service: str, task: str) -> None:
    sys.stderr.write(f"{service} {task}\n")
    if os.environ.get("FAKE_FAULT") == f"{service} {task}":
        sys.stderr.write("the fault that was asked for\n")
        sys.exit(3)
    if task in ("serve", "work"):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        port = os.environ["PORT" if task == "serve" else "WORKER_PORT"]
        HTTPServer(("127.0.0.1", int(port)), Health).serve_forever()
    with open(os.environ["SANDBOX_FILE"] + ".calls", "a") as calls:  # noqa: PTH123 - quick to start
        calls.write(f"{service} {task}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
