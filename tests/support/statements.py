"""What reaches the database, seen on its way there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

from shared.database.session import SessionFactory


def _every(_: str) -> bool:
    return True


@contextmanager
def statements(
    sessions: SessionFactory | None = None, keep: Callable[[str], bool] = _every
) -> Iterator[list[str]]:
    """Fills with the statements of these sessions, or of all in this process, that `keep` keeps."""
    engine = sessions.kw["bind"].sync_engine if sessions else Engine
    seen: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        if keep(statement):
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)
