"""Decide which agencies' systems have stopped pushing, by each agency's own rhythm. Pure.

Two ministries once synced nothing for a quarter, and nobody noticed: a push that never arrives is
in no log. An agency's rhythm is its longest pause of the last 28 days, so that its regular nights,
weekends and holidays are no silence.
"""

from datetime import timedelta

RETENTION_RHYTHM = timedelta(days=28)
# An agency may pause so many times its longest pause; without a rhythm yet, for a day.
SLACK_FACTOR, DEFAULT_PAUSE = 1.5, timedelta(days=1)


def is_silent(pause: timedelta, longest: timedelta | None) -> bool:
    return pause > max((longest or DEFAULT_PAUSE) * SLACK_FACTOR, timedelta(hours=2))
