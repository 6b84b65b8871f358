"""The days on which an agency is valid."""

from datetime import date
from typing import NamedTuple


class NamedAgency(NamedTuple):
    """An agency; `name` is None while only dossiers have named it."""

    name: str | None
    valid_from: date | None
    valid_to: date | None

    def is_valid_on(self, day: date) -> bool:
        begun = self.valid_from is None or self.valid_from <= day
        return begun and (self.valid_to is None or day <= self.valid_to)
