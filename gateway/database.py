"""The base of the gateway's tables."""

from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """The gateway's own tables."""
