"""The base of all tables, and columns of numbered codes."""

from datetime import datetime
from enum import IntEnum
from typing import Any, Generic, TypeVar

from sqlalchemy import DateTime, Dialect, SmallInteger, TypeDecorator
from sqlalchemy.orm import DeclarativeBase

Number = TypeVar("Number", bound=IntEnum)


class Base(DeclarativeBase):
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012 -- read by SQLAlchemy


class Numbered(TypeDecorator[Number], Generic[Number]):
    """Stores a member of an enumeration by the number that the national format gives it."""

    impl = SmallInteger
    cache_ok = True

    def __init__(self, numbers: type[Number]) -> None:
        super().__init__()
        self.numbers = numbers

    def process_bind_param(self, value: Number | None, _: Dialect) -> int | None:
        return None if value is None else int(value)

    def process_result_value(self, value: Any | None, _: Dialect) -> Number | None:
        return None if value is None else self.numbers(value)
