"""Refuse a birth date that lies in the future."""

from datetime import date

from shared.texts.translatable import Translatable
from shared.web.problems import Invalid


def require_born(birth_date: str | None, *, today: date, at: str) -> None:
    """Raise Invalid if a parsed birth date lies after `today`, a day in Viet Nam.

    `at` is the place of the field in the request. A date cut at its precision (yyyy or yyyy-mm)
    compares as text like a whole date.
    """
    if birth_date is not None and birth_date > today.isoformat():
        correction = Translatable("a birth date lies in the past, or is today's")
        raise Invalid(errors=[{"at": at, "is": correction}])
