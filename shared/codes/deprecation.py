"""Define how an operation or event that others use is marked as deprecated."""

from dataclasses import dataclass
from datetime import date, timedelta

from shared.texts.translatable import Translatable

MIN_DAYS_TO_SUNSET = 365


@dataclass(frozen=True)
class Deprecation:
    """The deprecation of an operation or event.

    It is deprecated from the day `since` on, and may be gone from the day `sunset` on; both days
    begin at midnight UTC. `successor` is the name of the operation, or the type of the event, to
    use instead.
    """

    since: date
    sunset: date
    successor: str

    def __post_init__(self) -> None:
        if self.sunset - self.since < timedelta(days=MIN_DAYS_TO_SUNSET):
            raise ValueError(
                f"the sunset lies {MIN_DAYS_TO_SUNSET} days or more after {self.since}"
            )

    def describe_term(self) -> Translatable:
        return Translatable(
            "Deprecated since {since}; it may be gone from {sunset} on. Use `{successor}` instead.",
            since=self.since,
            sunset=self.sunset,
            successor=self.successor,
        )
