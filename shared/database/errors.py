"""Tell an outage of the database from a fault of ours, and retry during an outage."""

from socket import gaierror

import asyncpg
import stamina
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

QUERY_CANCELLED = "57014"  # by a statement_timeout
# An OSError of another kind, such as a missing file, is a fault of ours: waiting does not mend it.
UNREACHABLE = (ConnectionError, TimeoutError, gaierror)
# Classes of SQLSTATE: connection lost, out of resources, operator intervention, system error.
OUTAGE_CLASSES = {"08", "53", "57", "58"}
# Faults of ours in these classes: a file that is missing, or stands in the way.
_FILE_STATES = {"58P01", "58P02"}
# Lost a race that a second try wins: serialization failure, deadlock; a standby just promoted;
# a transaction ended because its process stood still; a lock that somebody held for too long.
PASSING_STATES = {"40001", "40P01", "25006", "25P03", "55P03"}

# The values that PostgreSQL cannot keep as they are: characters that its encoding lacks (NUL among
# them), or more of them than a column takes. The rest of class 22, as a division by zero, is ours.
REFUSED_VALUE_STATES = {"22021", "22P05", "22001"}


def is_outage(error: BaseException) -> bool:
    """True where waiting helps; False where the message or the code is at fault."""
    if isinstance(error, (*UNREACHABLE, PoolTimeoutError)):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _is_passing_state(
            getattr(error.orig, "sqlstate", None)
        )
    if isinstance(error, asyncpg.PostgresError):
        return _is_passing_state(error.sqlstate)
    # The driver has one class for a connection that has gone and for wrong use of one that has not.
    return isinstance(error, asyncpg.InterfaceError) and "connection is closed" in str(error)


def _is_passing_state(state: str | None) -> bool:
    if state is None or state in _FILE_STATES:
        return False
    return state[:2] in OUTAGE_CLASSES or state in PASSING_STATES


def is_refused_value(error: BaseException) -> bool:
    """Return True where PostgreSQL cannot keep a value of the caller's as it is."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) in REFUSED_VALUE_STATES


def _is_passing_outage(error: Exception) -> bool:
    return is_outage(error)


def is_too_slow(error: BaseException) -> bool:
    """True where the database may be well, and what was asked of it takes too long."""
    state = getattr(getattr(error, "orig", error), "sqlstate", None)
    return isinstance(error, TimeoutError) or state == QUERY_CANCELLED


def _is_outage_unless_slow(error: Exception) -> bool:
    return is_outage(error) and not is_too_slow(error)


# For background work, which waits an outage out; a request fails and its caller retries.
retry_during_outage = stamina.retry(
    on=_is_passing_outage, attempts=None, timeout=None, wait_max=2.0
)
# The same for what can be done in parts: what took too long as a whole will do so again.
retry_during_outage_unless_slow = stamina.retry(
    on=_is_outage_unless_slow, attempts=None, timeout=None, wait_max=2.0
)
