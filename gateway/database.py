"""Define the base class of the tables."""

from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """The declarative base of all tables of the gateway."""
