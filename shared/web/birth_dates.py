"""Refuse a birth date that lies in the future."""

from datetime import date

from shared.web.problems import Invalid


def require_born(birth_date: str | None, *, today: date, at: str) -> None:
    """Raise Invalid where a parsed birth date lies after `today`, a day in Viet Nam.

    `at` is the place of the field in the request. The beginning of a date (yyyy or yyyy-mm)
    compares as the date does.
    """
    if birth_date is not None and birth_date > today.isoformat():
        raise Invalid(errors=[{"at": at, "is": "a birth date lies in the past, or is today's"}])
