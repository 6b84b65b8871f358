"""Write a line for each answer that refuses a request or fails: its `trace_id` leads there.

A line holds no personal data: no path, query, address or text of the request or the answer.
"""

import logging
import re
import time
from dataclasses import dataclass
from http import HTTPStatus

import orjson
import structlog

log = structlog.get_logger()

# It answers 503 until all is ready, is asked again and again, and names the checks that fail.
READINESS = "/readyz"
# The type of a problem (RFC 9457), or the code of an OAuth error (RFC 6749 §5.2).
_PROBLEM = re.compile(r"[a-z][a-z_]*|about:blank|/problems/[a-z0-9-]+")

# Refusals cost a caller little, and must not fill a disk, nor hide failures or those of others.
MAX_LINES_A_SECOND = 100
MAX_LINES_OF_CLIENT = 20
MAX_COUNTED_CLIENTS = 50


class LineLimiter:
    """Count the lines of each second; those beyond a budget are reported as a number.

    Failures (5xx) have a budget of their own, and so has each client. The calls without a client
    share one, and so do the clients beyond `MAX_COUNTED_CLIENTS` in a second.
    """

    def __init__(self) -> None:
        self._second = self._failures = self._left_out = 0
        self._others: dict[str | None, int] = {}

    def admit_line(self, now_s: float, status: int, client: str | None) -> bool:
        if int(now_s) != self._second:
            self._begin_second(int(now_s))
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._failures += 1
            is_admitted = self._failures <= MAX_LINES_A_SECOND
        else:
            if client not in self._others and len(self._others) >= MAX_COUNTED_CLIENTS:
                client = None
            lines = self._others[client] = self._others.get(client, 0) + 1
            is_admitted = lines <= (MAX_LINES_OF_CLIENT if client else MAX_LINES_A_SECOND)
        self._left_out += not is_admitted
        return is_admitted

    def _begin_second(self, second: int) -> None:
        if self._left_out:
            log.warning("answers_not_logged", count=self._left_out)
        self._second, self._failures, self._left_out = second, 0, 0
        self._others.clear()


_limiter = LineLimiter()


def find_first_logged_status() -> int:
    """Return the lowest status of an answer to log: 400, or with LOG_LEVEL=DEBUG any."""
    return 0 if logging.getLogger("shared").isEnabledFor(logging.DEBUG) else HTTPStatus.BAD_REQUEST


@dataclass(slots=True)
class LoggedAnswer:
    """The facts of one answer for its line; `began_at` is of `time.perf_counter`.

    `client` is proven. The trace is that of the context.
    """

    method: str
    route: str
    status: int
    began_at: float
    client: str | None
    request_id: str | None = None

    def write(self, body: bytes) -> None:
        """Write the line; `body` is the first piece of the answer, which may hold a problem."""
        now_s = time.perf_counter()
        if not _limiter.admit_line(now_s, self.status, self.client):
            return
        level, event = _choose_level(self.status)
        log.log(
            level,
            event,
            method=self.method,
            route=self.route,
            status=int(self.status),  # a console would write the name of an HTTPStatus
            ms=round((now_s - self.began_at) * 1_000, 1),
            client=self.client,
            problem=_find_problem_type(body) if self.status >= HTTPStatus.BAD_REQUEST else None,
            **({"request_id": self.request_id} if self.request_id else {}),
        )


def _choose_level(status: int) -> tuple[int, str]:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return logging.WARNING, "request_failed"
    if status >= HTTPStatus.BAD_REQUEST:
        return logging.INFO, "request_refused"
    return logging.DEBUG, "request_answered"


def _find_problem_type(body: bytes) -> str | None:
    try:
        members = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(members, dict):
        return None
    name = members.get("type") or members.get("error")
    return name if isinstance(name, str) and _PROBLEM.fullmatch(name) else None
