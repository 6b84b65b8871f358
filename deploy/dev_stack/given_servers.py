"""Explain why a server that DATABASE_URL or KAFKA_SERVERS names cannot be used."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from aiokafka.errors import KafkaError
from sqlalchemy.exc import ArgumentError

FAILURES = (
    OSError,
    ValueError,
    ArgumentError,
    KafkaError,
    asyncpg.InterfaceError,
    asyncpg.PostgresError,
)


class UnusableServerError(RuntimeError):
    """Says which variable to correct; its value may hold a password, and is not repeated."""


@contextmanager
def explain_given_server(variable: str, *, given: object) -> Iterator[None]:
    """Raise UnusableServerError where a `given` server fails; errors of the embedded one pass."""
    try:
        yield
    except FAILURES as error:
        if not given:
            raise
        raise UnusableServerError(
            f"{variable} names no server that can be used ({type(error).__name__}): "
            "correct it, or leave it out for the embedded one."
        ) from None
