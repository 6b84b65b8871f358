"""Distinguish an outage of the database from a bug, and retry during an outage."""

from socket import gaierror

import asyncpg
import stamina
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

QUERY_CANCELLED = "57014"  # by a statement_timeout
# Other OSErrors, such as a missing file, are bugs, which waiting does not correct.
UNREACHABLE = (ConnectionError, TimeoutError, gaierror)
# Classes of SQLSTATE: connection lost, out of resources, operator intervention, system error.
OUTAGE_CLASSES = {"08", "53", "57", "58"}
# Bugs within these classes: a file that is missing or already exists.
_FILE_STATES = {"58P01", "58P02"}
# Failures that a retry can pass: serialization failure, deadlock, a server that is read-only in
# a failover, a transaction ended for idling, a lock that another transaction held too long.
PASSING_STATES = {"40001", "40P01", "25006", "25P03", "55P03"}

# Values that PostgreSQL cannot store: characters that its encoding lacks, such as NUL, or more than
# a column takes. The other states of class 22, such as a division by zero, are bugs.
REFUSED_VALUE_STATES = {"22021", "22P05", "22001"}


def is_outage(error: BaseException) -> bool:
    """Return whether the error passes with time; False means a wrong message or a bug."""
    if isinstance(error, (*UNREACHABLE, PoolTimeoutError)):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _is_passing_state(
            getattr(error.orig, "sqlstate", None)
        )
    if isinstance(error, asyncpg.PostgresError):
        return _is_passing_state(error.sqlstate)
    # The driver uses this class also for misuse of an open connection, so the text decides.
    if isinstance(error, asyncpg.InterfaceError):
        return "connection is closed" in str(error)
    return has_lost_its_place(error)


def has_lost_its_place(error: BaseException) -> bool:
    """Return whether the driver no longer knows the state of its connection.

    It happens when the server ends in the middle of an answer. Another connection works.
    """
    text = str(error)
    return isinstance(error, asyncpg.InternalClientError) and (
        "cannot switch to state" in text or "in an unexpected state" in text
    )


def _is_passing_state(state: str | None) -> bool:
    if state is None or state in _FILE_STATES:
        return False
    return state[:2] in OUTAGE_CLASSES or state in PASSING_STATES


def is_refused_value(error: BaseException) -> bool:
    """Return whether PostgreSQL refused to store a value as the caller sent it."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) in REFUSED_VALUE_STATES


def _is_passing_outage(error: Exception) -> bool:
    return is_outage(error)


def is_too_slow(error: BaseException) -> bool:
    """Return whether the statement exceeded its time, possibly on a healthy database."""
    state = getattr(getattr(error, "orig", error), "sqlstate", None)
    return isinstance(error, TimeoutError) or state == QUERY_CANCELLED


def _is_outage_unless_slow(error: Exception) -> bool:
    return is_outage(error) and not is_too_slow(error)


# For background work, which waits until an outage ends; a request fails and its caller retries.
retry_during_outage = stamina.retry(
    on=_is_passing_outage, attempts=None, timeout=None, wait_max=2.0
)
# For work that can be divided: a statement that was too slow would be too slow again.
retry_during_outage_unless_slow = stamina.retry(
    on=_is_outage_unless_slow, attempts=None, timeout=None, wait_max=2.0
)
